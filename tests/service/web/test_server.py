"""Clients that send too slowly, or too much, don't hold the service up."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bakong_service.web import server as servers

pytestmark = pytest.mark.anyio


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once, without reading the body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(servers, "HEADER_SECONDS", 0.2)
    monkeypatch.setattr(servers, "BODY_SECONDS", 0.2)
    server, door = servers.server(app), servers.listen("127.0.0.1", 0)
    serving = asyncio.create_task(server.serve(sockets=[door]))
    yield door.getsockname()[1]
    server.should_exit = True
    await serving


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server closes the connection."""
    async with asyncio.timeout(5):
        return await reader.read()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX-Ha"])
async def test_half_a_request_is_given_up(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    assert await closed(reader) == b""
    writer.close()


async def test_a_body_that_nobody_reads_is_given_up_however_it_drips(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")

    async def drip() -> None:
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert (await closed(reader)).startswith(b"HTTP/1.1 200")
    dripping.cancel()
    writer.close()


async def test_a_connection_serves_one_request_after_another(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(2) == b"ok"
    writer.close()


async def test_headers_have_an_end(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * (servers.HEADER_BYTES + 1))
    assert (await closed(reader)).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_an_address_that_is_taken_is_named(port: int) -> None:
    with pytest.raises(servers.CannotListen, match=f"PORT {port} can't be listened at"):
        servers.listen("127.0.0.1", port)
