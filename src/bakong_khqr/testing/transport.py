"""Connects a simulator to httpx, blocking and asynchronous: `httpx.Client(transport=simulator.transport())`."""

import asyncio
import time
from typing import TYPE_CHECKING

import httpx

from bakong_khqr.testing.exchange import SimulatorRequest, SimulatorResponse

if TYPE_CHECKING:
    from bakong_khqr.testing.simulator import BakongSimulator


class SimulatorTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers every request from a simulator, for any host.

    A dropped connection raises `httpx.RemoteProtocolError`. An answer that is later than the client's read timeout
    raises `httpx.ReadTimeout`, at once unless `waits` is set.
    """

    def __init__(self, simulator: "BakongSimulator", *, waits: bool = False) -> None:
        self._simulator = simulator
        self._waits = waits

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a blocking client."""
        response = self._ask(request, request.read())
        if self._waits and (seconds := _seconds_under_way(request, response)):
            time.sleep(seconds)
        return _deliver(request, response)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer an asynchronous client."""
        response = self._ask(request, await request.aread())
        if self._waits and (seconds := _seconds_under_way(request, response)):
            await asyncio.sleep(seconds)
        return _deliver(request, response)

    def _ask(self, request: httpx.Request, body: bytes) -> SimulatorResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        return self._simulator.handle(
            SimulatorRequest(method=request.method, path=request.url.path, headers=headers, body=body)
        )


def _read_timeout(request: httpx.Request) -> float | None:
    timeout: float | None = request.extensions.get("timeout", {}).get("read")
    return timeout


def _seconds_under_way(request: httpx.Request, response: SimulatorResponse) -> float:
    timeout = _read_timeout(request)
    return response.delay_seconds if timeout is None else min(response.delay_seconds, timeout)


def _deliver(request: httpx.Request, response: SimulatorResponse) -> httpx.Response:
    timeout = _read_timeout(request)
    if timeout is not None and response.delay_seconds > timeout:
        raise httpx.ReadTimeout("The read operation timed out", request=request)
    if response.dropped:
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
    headers = {"content-type": response.content_type, **response.headers}
    return httpx.Response(response.status, headers=headers, content=response.body, request=request)
