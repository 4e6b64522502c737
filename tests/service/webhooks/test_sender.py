"""One POST: bounded in time and memory, whatever the other side does."""

import asyncio
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest

from bakong_service.domain.endpoint import Address
from bakong_service.webhooks.connection import KEPT_BYTES, READ_BYTES
from bakong_service.webhooks.resolver import Resolver
from bakong_service.webhooks.sender import Sender
from kit.receiver import Receiver, Request, told
from kit.shopfront import LOOPBACK

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    """A sender whose deadline no busy machine meets."""
    sender = Sender(LOOPBACK, deadline_seconds=30)
    yield sender
    sender.close()


@pytest.fixture
async def hasty() -> AsyncIterator[Sender]:
    """A sender whose deadline is met."""
    sender = Sender(LOOPBACK, deadline_seconds=0.5)
    yield sender
    sender.close()


async def test_an_answer_is_read_to_its_end_and_its_beginning_kept(receiver: Receiver, sender: Sender) -> None:
    receiver.answer = told(400, body="កំហុស\0 ".encode() * 300)
    answer = await sender.post(receiver.url, {}, b"{}")
    assert answer.status == 400
    assert answer.response is not None
    assert answer.response.startswith("កំហុស\ufffd ")
    assert len(answer.response.encode()) <= KEPT_BYTES
    assert "\0" not in answer.response


@pytest.mark.parametrize("length", ["content-length: 10000000", "transfer-encoding: chunked", "connection: close"])
async def test_a_10_mb_or_endless_answer_costs_no_memory(receiver: Receiver, sender: Sender, length: str) -> None:
    part = b"x" * 16_384
    written = 0

    async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode())
        for _ in range(10_000_000 // len(part)):
            writer.write(b"%x\r\n%b\r\n" % (len(part), part) if "chunked" in length else part)
            await writer.drain()
            written += len(part)

    receiver.answer = endless
    await sender.post(receiver.url, {}, b"{}")  # what is imported and set up once isn't counted
    written = 0
    tracemalloc.start()
    try:
        answer = await sender.post(receiver.url, {}, b"{}")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answer.status, answer.response) == (200, "x" * KEPT_BYTES)
    assert peak < 20 * READ_BYTES
    assert written < 9_000_000, "the connection was not cut"


async def test_headers_without_end_are_an_error(receiver: Receiver, sender: Sender) -> None:
    async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: and more\r\n" * 100)
            await writer.drain()

    receiver.answer = endless
    answer = await sender.post(receiver.url, {}, b"{}")
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("connection: ")


@pytest.mark.parametrize("drips", [b"", b"HTTP/1.1 200 OK\r\nx: "])
async def test_an_answer_that_doesnt_come_is_cut_off_at_the_deadline(
    receiver: Receiver, hasty: Sender, drips: bytes
) -> None:
    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(drips)
        while True:
            if drips:
                writer.write(b"y")
            await writer.drain()
            await asyncio.sleep(0.02)

    receiver.answer = slow
    started = time.monotonic()
    answer = await hasty.post(receiver.url, {}, b"{}")
    assert (answer.status, answer.error) == (None, "timeout: not done within 0.5 s")
    assert 0.4 < time.monotonic() - started < 3


async def test_a_status_counts_though_its_body_never_ends(receiver: Receiver, hasty: Sender) -> None:
    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            writer.write(b"z")
            await writer.drain()
            await asyncio.sleep(0.02)

    receiver.answer = slow
    answer = await hasty.post(receiver.url, {}, b"{}")
    assert (answer.status, answer.error) == (200, None)
    assert answer.response is not None
    assert set(answer.response) == {"z"}


@pytest.mark.parametrize("nonsense", [b"", b"\x16\x03\x01\x02\x00", b"HTTP/9 no\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"])
async def test_what_isnt_http_is_an_error(receiver: Receiver, sender: Sender, nonsense: bytes) -> None:
    async def answer_with(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(nonsense)
        writer.close()

    receiver.answer = answer_with
    answer = await sender.post(receiver.url, {}, b"{}")
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("connection: ")


async def test_nobody_listening_is_an_error(receiver: Receiver, sender: Sender) -> None:
    url = receiver.url
    await receiver.close()
    answer = await sender.post(url, {}, b"{}")
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("connection: ")


async def test_a_connection_is_used_again_and_a_closed_one_replaced(receiver: Receiver, sender: Sender) -> None:
    for _ in range(3):
        assert (await sender.post(receiver.url, {}, b"{}")).status == 204
    assert receiver.connections == 1

    async def close(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    receiver.answer = close
    for _ in range(3):
        assert (await sender.post(receiver.url, {}, b"{}")).status == 204
        await asyncio.sleep(0.01)  # until the end of the connection has arrived
    assert receiver.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    ],
)
async def test_a_connection_that_says_close_or_says_more_than_asked_isnt_used_again(
    receiver: Receiver, sender: Sender, answer: bytes
) -> None:
    async def told(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if answer.startswith(b"HTTP/1.0"):
            writer.close()

    receiver.answer = told
    assert [(await sender.post(receiver.url, {}, b"{}")).status for _ in range(2)] == [200, 200]
    assert receiver.connections == 2


async def test_an_interim_answer_is_waited_past(receiver: Receiver, sender: Sender) -> None:
    async def told(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")

    receiver.answer = told
    assert (await sender.post(receiver.url, {}, b"{}")).status == 204


@pytest.mark.parametrize(("begun", "status"), [(b"", 204), (b"HTTP/1.1 2", None)])
async def test_a_kept_connection_that_ends_unasked_is_replaced_unless_an_answer_had_begun(
    receiver: Receiver, sender: Sender, begun: bytes, status: int | None
) -> None:
    async def cut(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        writer.close()

    assert (await sender.post(receiver.url, {}, b"{}")).status == 204
    receiver.answers = [cut]
    assert (await sender.post(receiver.url, {}, b"{}")).status == status
    assert len(receiver.requests) == (3 if status else 2)


async def test_a_name_server_that_hangs_holds_up_its_own_name_alone(receiver: Receiver) -> None:
    asked: list[str] = []
    go = threading.Event()

    def lookup(host: str, port: int) -> list[Address]:
        asked.append(host)
        if host == "hangs.test":
            go.wait(10)
        return [ip_address("127.0.0.1")]

    sender = Sender(LOOPBACK, resolver=Resolver(lookup), deadline_seconds=3)
    try:
        hanging = [
            asyncio.create_task(sender.post(f"http://hangs.test:{receiver.port}/", {}, b"{}")) for _ in range(40)
        ]
        fast = await asyncio.gather(
            *(sender.post(f"http://fast{n}.test:{receiver.port}/", {}, b"{}") for n in range(20))
        )
        assert [answer.status for answer in fast] == [204] * 20
        assert {answer.error for answer in await asyncio.gather(*hanging)} == {"timeout: not done within 3 s"}
        assert asked.count("hangs.test") == 1  # one thread a name
    finally:
        go.set()
        sender.close()
