"""Counting against rates, with Redis, and without it when it goes away."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import limits
import pytest
import respx
from attrs import evolve

from bakong_service.settings import Secret
from bakong_service.web.http.limiter import Limiter
from bakong_service.web.http.service import Service
from kit.redis import Redis
from kit.service import client_of

pytestmark = pytest.mark.anyio

RATE = limits.parse("3/minute")


async def test_a_rate_is_granted_so_often_and_no_more() -> None:
    limiter = Limiter()
    taken = [await limiter.take(RATE, "key", "a") for _ in range(5)]
    assert [each.granted for each in taken] == [True, True, True, False, False]
    assert 0 < taken[-1].reset_seconds <= 120
    assert (await limiter.take(RATE, "key", "b")).granted


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


async def test_a_redis_that_hangs_holds_nobody_up(silent_redis: int) -> None:
    limiter = Limiter(Secret(f"redis://127.0.0.1:{silent_redis}"))
    started = time.monotonic()
    granted = [(await limiter.take(RATE, "key", "a")).granted for _ in range(5)]
    assert time.monotonic() - started < 5.0
    assert granted == [True, True, True, False, False]  # neither open to all nor closed to all
    assert not limiter.is_shared


async def test_a_redis_that_isnt_there_holds_nobody_up() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    limiter = Limiter(Secret(f"redis://127.0.0.1:{port}"))
    granted = [(await limiter.take(RATE, "key", "a")).granted for _ in range(5)]
    assert granted == [True, True, True, False, False]


async def test_replicas_share_a_rate_through_redis_and_go_on_when_it_is_killed(
    redis_server: Redis,
) -> None:
    one, other = Limiter(redis_server.url), Limiter(redis_server.url)
    granted = [(await limiter.take(RATE, "key", "a")).granted for limiter in (one, other, one, other)]
    assert granted == [True, True, True, False]
    assert one.is_shared
    await redis_server.kill()
    started = time.monotonic()
    granted = [(await one.take(RATE, "key", "a")).granted for _ in range(4)]
    assert granted == [False] * 4  # its share is one of three, and it has granted two
    granted = [(await one.take(RATE, "key", "b")).granted for _ in range(4)]
    assert granted == [True, False, False, False]
    assert time.monotonic() - started < 5.0
    await one.close()
    await other.close()


@pytest.mark.parametrize("at_once", [4, 150])
async def test_replicas_grant_a_rate_exactly_however_many_ask_at_once(redis_server: Redis, at_once: int) -> None:
    """Thirty-two at once used to be taken for a slow Redis, and got twice the rate."""
    rate, replicas = limits.parse("100/hour"), (Limiter(redis_server.url), Limiter(redis_server.url))
    granted = 0
    for _ in range(300 // at_once):
        allowances = await asyncio.gather(*(replicas[n % 2].take(rate, "key", "a") for n in range(at_once)))
        granted += sum(allowance.granted for allowance in allowances)
    assert granted == 100
    assert all(replica.is_shared for replica in replicas)
    for replica in replicas:
        await replica.close()


async def test_a_loop_that_lags_is_not_taken_for_a_slow_redis(redis_server: Redis) -> None:
    limiter = Limiter(redis_server.url)
    asking = asyncio.create_task(limiter.take(RATE, "key", "a"))
    await asyncio.sleep(0)
    time.sleep(0.2)  # noqa: ASYNC251 - the loop does something else for longer than Redis may take
    assert (await asking).granted
    assert limiter.is_shared
    await limiter.close()


async def test_the_setting_says_how_many_replicas_share_a_rate() -> None:
    limiter = Limiter(replicas=2)
    granted = [(await limiter.take(limits.parse("10/minute"), "key", "a")).granted for _ in range(8)]
    assert granted == [True] * 5 + [False] * 3


async def test_a_window_slides() -> None:
    now = 600.0
    limiter = Limiter(now=lambda: now)
    assert [(await limiter.take(RATE, "a")).granted for _ in range(4)] == [True, True, True, False]
    now = 660.0  # the next window begins, and the three of the one before count as three
    refused = await limiter.take(RATE, "a")
    assert (refused.granted, refused.reset_seconds) == (False, 1)
    now = 690.0  # half of them
    assert [(await limiter.take(RATE, "a")).granted for _ in range(3)] == [True, True, False]


async def test_counters_in_the_process_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from bakong_service.web.http import limiter as limiters

    monkeypatch.setattr(limiters, "_MOST_COUNTERS", 100)
    limiter = Limiter()
    for number in range(300):
        await limiter.take(RATE, "address", str(number))
    assert len(limiter._here) == 100


class TestTheService:
    """The database has no part in it."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    async def test_a_service_whose_redis_hangs_answers_each_request_soon(
        self, service: Service, silent_redis: int
    ) -> None:
        limited = evolve(service, limiter=Limiter(Secret(f"redis://127.0.0.1:{silent_redis}")))
        waited = []
        async with client_of(limited) as client:
            for path in ("/v1/payments", "/health/ready", "/metrics", *["/v1/payments"] * 5):
                started = time.monotonic()
                assert (await client.get(path)).status_code == 200
                waited.append(time.monotonic() - started)
        assert max(waited) < 5.0
        assert not limited.limiter.is_shared

    async def test_a_health_check_asks_neither_redis_nor_bakong(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, respx_mock: respx.MockRouter
    ) -> None:
        async def take(*_: object, **__: object) -> None:
            raise AssertionError("it asks Redis")

        monkeypatch.setattr(Limiter, "take", take)
        async with client_of(service, key=None) as stranger:
            for path in ("/health/live", "/health/ready") * 5:
                assert (await stranger.get(path)).status_code == 200
        assert not respx_mock.calls
