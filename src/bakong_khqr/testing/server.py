"""Serves a simulator over HTTP: as an ASGI application, in a thread for tests, or as a program."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bakong_khqr._kinds import checked_callable
from bakong_khqr.testing import answers
from bakong_khqr.testing.exchange import SimulatorRequest, SimulatorResponse

if TYPE_CHECKING:
    from bakong_khqr.testing.simulator import BakongSimulator

_LARGEST_BODY: Final = 1024 * 1024


def asgi_app(simulator: "BakongSimulator", drop: Callable[[Scope], None] | None = None) -> Starlette:
    """Return a simulator as an ASGI application.

    ASGI can't end a connection, so `drop` ends the connection of a call's scope. Without it, a dropped call raises
    `ConnectionAbortedError`, which most servers answer with 500.
    """
    if drop is not None:
        checked_callable("drop", drop)
    return Starlette(routes=[Route("/{path:path}", _Exchange(simulator, drop))])


class _Exchange:
    """Passes one call from ASGI to the simulator, and its answer back."""

    def __init__(self, simulator: "BakongSimulator", drop: Callable[[Scope], None] | None) -> None:
        self._simulator = simulator
        self._drop = drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._ask(HttpRequest(scope, receive))
        if response.delay_seconds:
            await asyncio.sleep(response.delay_seconds)
        if response.dropped:
            if self._drop is None:
                raise ConnectionAbortedError("a fault of the simulator ends this connection")
            self._drop(scope)
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        headers = {"content-type": response.content_type, **response.headers}
        await HttpResponse(response.body, response.status, headers)(scope, receive, send)

    async def _ask(self, request: HttpRequest) -> SimulatorResponse:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_BODY:
                return answers.nginx(413)
        headers = dict(request.headers.items())
        return self._simulator.handle(
            SimulatorRequest(method=request.method, path=request.url.path, headers=headers, body=bytes(body))
        )


class SimulatorServer:
    """A simulator on a port. The port is open at once; `run` answers calls until `stop`."""

    def __init__(self, simulator: "BakongSimulator", *, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family)
        self.port: int = self._socket.getsockname()[1]
        """The port that was asked for, or a free one for 0."""
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                asgi_app(simulator, self._drop),
                access_log=False,
                http="h11",
                lifespan="off",
                server_header=False,
                log_level="warning",
                timeout_graceful_shutdown=1,
                timeout_keep_alive=15,  # longer than httpx and Node keep a connection, which would meet the closing
                ws="none",
            )
        )

    def run(self) -> None:
        """Answer calls until `stop` is called or, in the main thread, a signal comes."""
        with self._socket:
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let `run` return. Open calls have one second to end."""
        self._server.should_exit = True

    @property
    def started(self) -> bool:
        """Whether `run` has begun to answer."""
        return self._server.started

    def _drop(self, scope: Scope) -> None:
        for connection in list(self._server.server_state.connections):
            if getattr(connection, "client", None) == scope["client"]:
                connection.transport.abort()


@contextmanager
def serve(simulator: "BakongSimulator", *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve a simulator from a thread and give its URL: `with serve(BakongSimulator()) as url: ...`."""
    server = SimulatorServer(simulator, host=host, port=port)
    thread = threading.Thread(target=server.run, name="bakong-simulator", daemon=True)
    thread.start()
    while thread.is_alive() and not server.started:
        time.sleep(0.005)
    try:
        yield server.url
    finally:
        server.stop()
        thread.join()
