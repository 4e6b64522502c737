"""uvicorn, one process, with deadlines for what a client sends and without signal handlers of its own."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
HEADER_BYTES = 64 * 1024
BODY_SECONDS = 15.0  # past the deadline of `bodies.py`, which answers 408: this is for bodies that nobody reads
_STOP_SECONDS = 8  # of the 10 that a process gets; the rest is for workers and the database
_BACKLOG = 2048


class CannotListen(Exception):  # noqa: N818 - what happened
    """The address can't be listened at: taken, not this machine's, or not allowed."""


class DeadlineProtocol(HttpToolsProtocol):
    """Closes a connection whose headers, or whose body, aren't all there in time, or whose headers are too long.

    uvicorn itself waits for a half-sent request as long as the client likes: a few thousand such clients would hold
    every socket.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._in_headers = False
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._until(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > HEADER_BYTES:
            self.send_400_response("The request's headers are too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._in_headers:
            self._expect_headers()

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._until(BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._until(None)
        super().on_message_complete()

    def _expect_headers(self) -> None:
        self._in_headers, self._header_bytes = True, 0
        self._until(HEADER_SECONDS)

    def _until(self, seconds: float | None) -> None:
        """Set the one deadline anew; None: nothing is waited for."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """A server that somebody else tells to stop: `should_exit = True`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address; port 0 takes a free one. Raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListen(f"HOST {host} and PORT {port} can't be listened at: {error.strerror or error}") from error


def server(app: ASGIApp) -> Server:
    """A server for `app`, not yet started: `await server.serve(sockets=[listen(...)])`."""
    config = uvicorn.Config(
        app,
        http=DeadlineProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # ours names route, key and request id
        proxy_headers=False,  # ours believes TRUSTED_PROXIES alone
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        backlog=_BACKLOG,
    )
    return Server(config)
