"""Runs uvicorn in one process, with a bound for all bytes and seconds of a peer, and without signal handlers.

`BOUNDS` is the table of these bounds. The documentation is drawn from it.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from functools import partial
from typing import Any, cast

import uvicorn
from attrs import field, frozen
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

PAUSE_READING = "bakong.pause_reading"
"""The key of a request's scope under which a function stops reading its connection until the answer is sent."""

_STOP_SECONDS = 8  # of the 10 that a process gets; the rest is for workers and the database
_BACKLOG = 2048
_PIECE = 4096  # bytes for the parser at once; a bound may be exceeded by one piece
_OTHER_FILES = 200  # descriptors for the database, Redis, webhooks and the log


def _bound(value: float, unit: str, meaning: str) -> Any:
    return field(default=value, metadata={"unit": unit, "meaning": meaning})


@frozen(kw_only=True)
class Bounds:
    """What peers may use of one process."""

    connections: int = _bound(
        4000, "connections", "open at once; the one that has been idle for longest is closed for a new one"
    )
    request_line_bytes: int = _bound(8 * 1024, "bytes", "in the URL of a request; more is answered with 414")
    header_bytes: int = _bound(
        16 * 1024, "bytes", "in the request line and the headers together; more is answered with 431"
    )
    header_count: int = _bound(100, "headers", "of one request; more is answered with 431")
    header_seconds: float = _bound(10.0, "seconds", "until all headers of a request have arrived")
    body_bytes: int = _bound(64 * 1024, "bytes", "in a body; more is answered with 413")
    body_seconds: float = _bound(10.0, "seconds", "until the whole body has arrived; then the answer is 408")
    unread_body_seconds: float = _bound(15.0, "seconds", "the same for a body that no route reads; then the end")
    wire_bytes: int = _bound(
        512 * 1024, "bytes", "from the headers' end to the body's end, with the framing of chunks; more ends it"
    )
    framing_bytes: int = _bound(
        8 * 1024,
        "bytes",
        "of chunk extensions between two pieces of a body; more ends the connection, and so does any trailer",
    )
    idle_seconds: float = _bound(
        15.0, "seconds", "between an answer and the next request on its connection; most clients keep one for 5 at most"
    )
    write_seconds: float = _bound(
        15.0, "seconds", "until the peer has taken what was written to it; then the connection is cut"
    )
    pipelined: int = _bound(8, "requests", "that may wait on a connection for their turn; more is answered with 400")
    depth: int = _bound(100, "levels", "of nesting in a JSON body")
    at_work_by_address: int = _bound(
        8, "requests", "at work at once for one address (in IPv6 its /64) before they have shown a good key"
    )
    at_work_without_key: int = _bound(64, "requests", "the same for all addresses together")
    at_work_by_key: int = _bound(32, "requests", "at work at once for one API key")
    at_work_with_key: int = _bound(256, "requests", "the same for all keys together")
    metrics_by_key: int = _bound(4, "requests", "to `/metrics` at work at once for one API key, beside the others")
    streams_by_key: int = _bound(
        100, "streams", "of one API key at once: event streams, `?wait=`, and links that Bakong is asked for"
    )
    streams: int = _bound(400, "streams", "the same for all keys together")
    streams_by_payment: int = _bound(8, "pages", "of one payment at once that follow it by a stream")
    payer_streams: int = _bound(1500, "pages", "the same for all payments together; the other pages ask now and then")
    queue_seconds: float = _bound(
        1.0, "seconds", "that a request may wait for its turn to work; then it is answered with 503"
    )
    queue_length: int = _bound(200, "requests", "that may wait for a turn of one address or one key")
    refusal_seconds: float = _bound(
        3.0, "seconds", "on average until a caller without a good key is told to come later; it can't ask again before"
    )
    stream_seconds: float = _bound(1800.0, "seconds", "that one event stream may last")


BOUNDS = Bounds()


class CannotListen(Exception):  # noqa: N818 - what happened
    """The process can't listen at the address: it is taken, not this machine's, or not allowed."""


class _Reading(Enum):
    """Which part of a request a connection reads."""

    NOTHING = auto()
    HEADERS = auto()
    BODY = auto()


class _Refused(Exception):  # noqa: N818 - what happened
    """A request exceeds a bound. The parser stops."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class _HeadWithBody(asyncio.Transport):
    """A transport that holds the head of an answer until its body comes, and writes both at once.

    uvicorn writes them one after the other, and without a buffer (see `connection_made`) that is a packet each. A head
    whose body doesn't come at once is written alone.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport, self._loop = transport, loop
        self._held: bytes | None = None

    def write(self, data: Any) -> None:
        if self._held is None:
            self._held = data
            self._loop.call_soon(self._release)
        else:
            data, self._held = self._held + data, None
            self._transport.write(data)

    def close(self) -> None:
        self._release()
        self._transport.close()

    def abort(self) -> None:
        self._held = None
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _release(self) -> None:
        if self._held is not None:
            data, self._held = self._held, None
            if not self._transport.is_closing():
                self._transport.write(data)


class BoundedProtocol(HttpToolsProtocol):
    """A connection that ends if its peer exceeds `Bounds`: it sends too much, reads too little, or is too slow.

    uvicorn itself waits without end for half a request and for a peer that reads nothing, and it keeps every trailer.
    """

    def __init__(
        self, bounds: Bounds, idle: "dict[BoundedProtocol, None]", most: int, *arguments: Any, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._bounds, self._idle, self._most = bounds, idle, most
        self._reading = _Reading.HEADERS
        self._refusal: _Refused | None = None
        self._arriving: asyncio.TimerHandle | None = None  # the deadline of what is read
        self._leaving: asyncio.TimerHandle | None = None  # the deadline of what is written
        self._is_new = False  # whether the headers of a request have just arrived
        self._raw_bytes = self._header_bytes = self._wire_bytes = self._framing_bytes = 0
        self._cycles: list[Any] = []  # of uvicorn: the requests without a full answer, oldest first

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so that unread bytes always call `pause_writing`
        self.transport = _HeadWithBody(transport, self.loop)
        self._until(self._bounds.header_seconds)
        self._idle[self] = None
        if len(self.connections) > self._most:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._idle.pop(self, None)
        self._until(None)
        self.resume_writing()
        for cycle in self._cycles:  # uvicorn only tells the last request, which may not have begun
            cycle.disconnected = True
            cycle.message_event.set()
        self._cycles.clear()
        super().connection_lost(exc)
        # A request that waited for its turn knows its connection. Nobody but the garbage collector would find the two,
        # and then it holds everybody up: for 0.1 s each few seconds, while a thousand connections come and go.
        self.pipeline.clear()
        self.cycle = None  # type: ignore[assignment]  # as before the first request

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE):
            if self.transport.is_closing():
                return
            piece = data[start : start + _PIECE]
            self._framing_bytes += len(piece)
            super().data_received(piece)
            try:
                self._count(len(piece))
            except _Refused as refusal:
                self._refusal = refusal
                self.send_400_response(refusal.reason)
        if self._is_new and self._reading is _Reading.BODY:
            # The kernel keeps the rest of the body until the application asks for it. A thousand requests that wait for
            # their turn, and send a byte a second, then cost nothing.
            self._is_new = False
            self.flow.pause_reading()

    def _count(self, size: int) -> None:
        """Count a piece that the parser got, with what the parser hasn't reported yet, such as half a header."""
        bounds = self._bounds
        match self._reading:
            case _Reading.HEADERS:
                self._raw_bytes += size
                if len(getattr(self, "url", b"")) > bounds.request_line_bytes:
                    raise _Refused(414, "The request's URL is too long.")
                if self._raw_bytes > bounds.header_bytes:
                    raise _Refused(431, "The request's headers are too long.")
            case _Reading.BODY:
                self._wire_bytes += size
                if self._wire_bytes > bounds.wire_bytes:
                    raise _Refused(413, "The request's body is too long.")
                if self._framing_bytes > bounds.framing_bytes:
                    raise _Refused(400, "The request's chunks have too long extensions or trailers.")
            case _Reading.NOTHING:
                pass

    def send_400_response(self, msg: str) -> None:
        """Refuse a request with the status of the bound that it breaks, and close the connection."""
        if self.transport.is_closing():
            return
        if self._cycles:  # another answer would be taken for a part of the open one
            self.transport.close()
            return
        status = 400 if self._refusal is None else self._refusal.status
        text = (msg if self._refusal is None else self._refusal.reason).encode("ascii")
        self.transport.write(
            STATUS_LINE[status] + b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % len(text)
            + b"connection: close\r\n\r\n" + text
        )  # fmt: skip
        self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._reading is _Reading.NOTHING:
            self._until(self._bounds.header_seconds)
        self._reading = _Reading.HEADERS
        self._raw_bytes = self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._header_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading is not _Reading.HEADERS:
            self._stop(400, "Trailers are not taken.")
        self._header_bytes += len(name) + len(value) + 4  # the colon, a blank, and the end of the line
        if self._header_bytes > self._bounds.header_bytes:
            self._stop(431, "The request's headers are too long.")
        if len(self.headers) >= self._bounds.header_count:
            self._stop(431, "The request has too many headers.")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.url) > self._bounds.request_line_bytes:
            self._stop(414, "The request's URL is too long.")
        if len(self.pipeline) >= self._bounds.pipelined:
            self._stop(400, "Too many requests wait on this connection.")
        self._reading = _Reading.BODY
        self._wire_bytes = self._framing_bytes = 0
        self._idle.pop(self, None)
        self._until(self._bounds.unread_body_seconds)
        cast("dict[str, Any]", self.scope)[PAUSE_READING] = self.flow.pause_reading
        super().on_headers_complete()
        self._cycles = [cycle for cycle in self._cycles if not cycle.response_complete] + [self.cycle]
        self._is_new = True

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._reading = _Reading.NOTHING
        self._until(None)
        super().on_message_complete()
        self._rest()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._cycles = [cycle for cycle in self._cycles if not cycle.response_complete]
        self._rest()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._leaving is None:
            self._leaving = self.loop.call_later(self._bounds.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _rest(self) -> None:
        """Wait for the next request, if every request so far is read and answered.

        uvicorn's own deadline for this ends with the first byte, even if that byte begins no request.
        """
        if self._reading is _Reading.NOTHING and not self._cycles and not self.transport.is_closing():
            self._idle[self] = None
            self._until(self._bounds.idle_seconds)

    def _stop(self, status: int, reason: str) -> None:
        self._refusal = _Refused(status, reason)
        raise self._refusal

    def _until(self, seconds: float | None) -> None:
        """Set the deadline of reading. None means no deadline."""
        if self._arriving is not None:
            self._arriving.cancel()
        self._arriving = None if seconds is None else self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._arriving = None
        if not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """A server that handles no signals: `should_exit = True` stops it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address. Port 0 takes a free port. Raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListen(
            f"the service can't listen at HOST {host} and PORT {port}: {error.strerror or error}"
        ) from error


def server(app: ASGIApp, bounds: Bounds = BOUNDS) -> Server:
    """Return a server for `app`. Start it with `await server.serve(sockets=[listen(...)])`."""
    most = min(bounds.connections, max(1, _descriptors(bounds.connections + _OTHER_FILES) - _OTHER_FILES))
    config = uvicorn.Config(
        app,
        http=partial(BoundedProtocol, bounds, {}, most),  # type: ignore[arg-type]  # uvicorn calls it like a class
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # our log has route, key and request id
        proxy_headers=False,  # the gate believes only TRUSTED_PROXIES
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        timeout_keep_alive=int(bounds.idle_seconds) + 1,  # the deadline of the protocol comes first
        backlog=_BACKLOG,
    )
    return Server(config)


def _descriptors(wanted: int) -> int:
    """Raise the process's limit of open files, up to `wanted` if that is allowed, and return the limit."""
    if sys.platform == "win32":
        return wanted
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    if soft == infinite or soft >= wanted:
        return wanted
    raised = wanted if hard == infinite else min(wanted, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
