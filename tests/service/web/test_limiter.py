"""Counting against rates, with Redis, and without it when it goes away."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import limits
import pytest

from bakong_service.settings import Secret
from bakong_service.web.limiter import Limiter

pytestmark = pytest.mark.anyio

RATE = limits.parse("3/minute")


async def test_a_rate_is_granted_so_often_and_no_more() -> None:
    limiter = Limiter()
    granted = [(await limiter.take(RATE, "key", "a")).granted for _ in range(5)]
    assert granted == [True, True, True, False, False]
    spent = await limiter.spent(RATE, "key", "a")
    assert spent is not None
    assert 0 < spent.reset_seconds <= 120
    assert await limiter.spent(RATE, "key", "b") is None


@pytest.fixture
async def silent_redis() -> AsyncIterator[int]:
    """A port that takes connections and never answers."""

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stopped.wait()
        writer.close()

    stopped = asyncio.Event()
    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    stopped.set()
    server.close()
    await server.wait_closed()


async def test_the_original_s_flaw_28_a_redis_that_hangs_holds_nobody_up(silent_redis: int) -> None:
    limiter = Limiter(Secret(f"redis://127.0.0.1:{silent_redis}"))
    started = time.monotonic()
    granted = [(await limiter.take(RATE, "key", "a")).granted for _ in range(5)]
    assert time.monotonic() - started < 1.0
    assert granted == [True, True, True, False, False]  # neither open to all nor closed to all
    assert not limiter.is_shared


async def test_a_redis_that_isnt_there_holds_nobody_up() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    limiter = Limiter(Secret(f"redis://127.0.0.1:{port}"))
    granted = [(await limiter.take(RATE, "key", "a")).granted for _ in range(5)]
    assert granted == [True, True, True, False, False]


@pytest.fixture
async def redis_server(tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Redis of this test's own; its port is `process.port`."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        program, "--port", str(port), "--save", "", "--dir", str(tmp_path), stdout=asyncio.subprocess.DEVNULL
    )
    process.port = port  # type: ignore[attr-defined]  # kept beside it
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                break
    yield process
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_replicas_share_a_rate_through_redis_and_go_on_when_it_is_killed(
    redis_server: asyncio.subprocess.Process,
) -> None:
    url = Secret(f"redis://127.0.0.1:{redis_server.port}")  # type: ignore[attr-defined]  # kept beside it
    one, other = Limiter(url), Limiter(url)
    granted = [(await limiter.take(RATE, "key", "a")).granted for limiter in (one, other, one, other)]
    assert granted == [True, True, True, False]
    assert one.is_shared
    redis_server.kill()
    await redis_server.wait()
    started = time.monotonic()
    granted = [(await one.take(RATE, "key", "a")).granted for _ in range(4)]
    assert time.monotonic() - started < 1.0
    assert granted == [True, True, True, False]
    await one.close()
    await other.close()
