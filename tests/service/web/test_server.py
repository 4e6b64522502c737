"""Clients that send too slowly, or too much, don't hold the service up."""

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from attrs import evolve

from bakong_service.web.http import server as servers
from bakong_service.web.http.server import BOUNDS, Bounds

SHORT = evolve(BOUNDS, header_seconds=0.2, unread_body_seconds=0.2, idle_seconds=0.3, write_seconds=0.3)
LARGE = 8_000_000  # bytes of an answer: more than the buffers of both sockets hold

pytestmark = pytest.mark.anyio


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once, without reading the body. `/large` is long; `/silent` waits until the peer is gone."""
    if scope["path"] == "/silent":
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()
        return
    if scope["path"] == "/late":
        await its_turn.wait()
        while (await receive()).get("more_body"):
            pass
    body = b"x" * LARGE if scope["path"] == "/large" else b"ok"
    headers = [(b"content-length", str(len(body)).encode())]
    headers += [(b"seen-" + name, value) for name, value in scope["headers"] if name.startswith(b"x-")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


left = asyncio.Event()
its_turn = asyncio.Event()
running: dict[int, uvicorn.Server] = {}  # by port


@asynccontextmanager
async def serving(bounds: Bounds) -> AsyncIterator[int]:
    server, door = servers.server(app, bounds), servers.listen("127.0.0.1", 0)
    task = asyncio.create_task(server.serve(sockets=[door]))
    port = door.getsockname()[1]
    running[port] = server
    yield port
    del running[port]
    server.should_exit = True
    await task


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(SHORT) as port:
        yield port


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


async def test_a_body_is_not_read_before_the_application_asks_for_it() -> None:
    """A thousand requests that waited for their turn, and sent a byte a second, took the time of others."""
    async with serving(BOUNDS) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /late HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.write(b"1\r\n \r\n" * (BOUNDS.wire_bytes // 4))  # more than it would ever read
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        its_turn.set()
        with suppress(ConnectionResetError):
            assert await closed(reader) == b""  # now it reads, and refuses to read so much
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


async def said(port: int, sent: bytes) -> bytes:
    """What the server says to `sent` until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        return await closed(reader)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def headers_of(size: int) -> bytes:
    """The end of a request's headers, so that its URL and headers count `size` bytes."""
    counted = len("/") + len("Host") + len("x") + 4 + len("X-Long") + 4
    return b"X-Long: " + b"a" * (size - counted) + b"\r\n\r\n"


async def test_headers_have_an_exact_end(port: int) -> None:
    async with asyncio.timeout(5):
        assert (await said(port, GET + headers_of(BOUNDS.header_bytes - 40))).startswith(b"HTTP/1.1 200")
    assert (await said(port, GET + headers_of(BOUNDS.header_bytes + 1))).startswith(b"HTTP/1.1 431")
    second = await said(port, GET + b"\r\n" + GET + headers_of(BOUNDS.header_bytes + 1))
    assert second.count(b"HTTP/1.1 200") <= 1


async def test_half_a_header_has_an_end(port: int) -> None:
    assert (await said(port, GET + b"X-Long: " + b"a" * BOUNDS.header_bytes)).startswith(b"HTTP/1.1 431")


async def test_a_request_line_has_an_end(port: int) -> None:
    url = b"/" + b"a" * BOUNDS.request_line_bytes
    assert (await said(port, b"GET " + url + b" HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 414")
    assert (await said(port, b"GET " + url)).startswith(b"HTTP/1.1 414")


async def test_a_request_has_so_many_headers_and_no_more(port: int) -> None:
    many = b"".join(b"X-%d: a\r\n" % number for number in range(BOUNDS.header_count))
    assert (await said(port, GET + many + b"\r\n")).startswith(b"HTTP/1.1 431")


async def test_trailers_end_the_connection(port: int) -> None:
    """One connection used to fill the memory with them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(CHUNKED + b"0\r\n")
    sent = 0
    with suppress(ConnectionError):
        async with asyncio.timeout(0.15):  # less than the deadline of a body
            while not writer.transport.is_closing():
                writer.write(b"a:b\r\n" * 200)
                await writer.drain()
                sent += 1000
    assert sent < 5_000_000  # what fits into the buffers of both sockets
    assert await ended(reader)
    writer.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the server closed the connection."""
    with suppress(ConnectionError):
        await closed(reader)
    return True


async def test_a_trailer_never_becomes_a_header_of_the_next_request(port: int) -> None:
    answers = await said(port, CHUNKED + b"0\r\nX-Planted: 1\r\n\r\n" + GET + b"\r\n")
    assert b"seen-x-planted" not in answers
    assert answers.count(b"HTTP/1.1 200") <= 1


@pytest.mark.parametrize("framing", [b"1;" + b"e" * 9000 + b"\r\na\r\n", b"0\r\n" + b"a" * 9000])
async def test_what_frames_a_body_has_an_end(framing: bytes) -> None:
    async with serving(evolve(SHORT, unread_body_seconds=60)) as port:
        assert await said(port, CHUNKED + framing * 2) is not None


async def test_a_body_that_nobody_reads_has_an_end_in_bytes() -> None:
    async with serving(evolve(SHORT, unread_body_seconds=60)) as port:
        chunk = b"1000\r\n" + b"a" * 4096 + b"\r\n"
        assert await said(port, CHUNKED + chunk * (BOUNDS.wire_bytes // 4096 + 1)) is not None


@pytest.mark.parametrize("end", [b"", b"Connection: close\r\n"])
async def test_who_reads_no_answer_is_cut_off(port: int, end: bytes) -> None:
    """Sixty such connections used to hold sixty places for ever."""
    peer = socket.create_connection(("127.0.0.1", port))
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(peer, b"GET /large HTTP/1.1\r\nHost: x\r\n" + end + b"\r\n")
    state = running[port].server_state
    async with asyncio.timeout(5):  # the peer does nothing
        while state.connections or not state.total_requests:  # noqa: ASYNC110 - uvicorn tells nobody of it
            await asyncio.sleep(0.01)
    received = 0
    with suppress(ConnectionError):
        async with asyncio.timeout(5):
            while data := await loop.sock_recv(peer, 1 << 20):
                received += len(data)
    peer.close()
    assert received < LARGE


async def test_blank_lines_dont_keep_an_idle_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET + b"\r\n")

    async def drip() -> None:
        while not writer.transport.is_closing():
            writer.write(b"\r\n")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    try:
        assert await ended(reader)
    finally:
        dripping.cancel()
        writer.close()


async def test_so_many_requests_wait_on_a_connection_and_no_more(port: int) -> None:
    answers = await said(port, (GET + b"\r\n") * (BOUNDS.pipelined + 2))
    assert answers.count(b"HTTP/1.1 200") <= 1
    served = await said(port, (GET + b"\r\n") * BOUNDS.pipelined)
    assert served.count(b"HTTP/1.1 200") == BOUNDS.pipelined


async def test_a_request_hears_that_its_peer_left_though_others_wait_behind_it(port: int) -> None:
    left.clear()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /silent HTTP/1.1\r\nHost: x\r\n\r\n" + GET + b"\r\n")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()
    async with asyncio.timeout(5):
        await left.wait()


async def test_a_connection_that_breaks_leaves_nothing_to_the_garbage_collector(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /silent HTTP/1.1\r\nHost: x\r\n\r\n" + (GET + b"\r\n") * 3)
    await writer.drain()
    connections = running[port].server_state.connections
    async with asyncio.timeout(5):
        while not any(each.pipeline for each in connections):  # type: ignore[union-attr]  # noqa: ASYNC110 - no signal
            await asyncio.sleep(0.01)
    known = [weakref.ref(connection) for connection in connections]
    del connections
    gc.disable()
    try:
        writer.transport.abort()
        async with asyncio.timeout(5):
            while any(connection() for connection in known):  # noqa: ASYNC110 - no signal
                await asyncio.sleep(0.01)
    finally:
        gc.enable()


async def test_a_new_connection_takes_the_place_of_the_one_that_idles_longest() -> None:
    async with serving(evolve(SHORT, connections=3, header_seconds=60)) as port:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            assert (await said(port, GET + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await ended(opened[0][0])
        for _, writer in opened:
            writer.close()


async def test_an_address_that_is_taken_is_named(port: int) -> None:
    with pytest.raises(servers.CannotListen, match=rf"listen at HOST 127.0.0.1 and PORT {port}"):
        servers.listen("127.0.0.1", port)
