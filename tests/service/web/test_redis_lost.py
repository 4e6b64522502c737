"""Redis is killed, restarted and slowed under 150 requests at once: none fails, and limits hold but for one share."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Self

import httpx
import pytest
from attrs import frozen

from bakong_service.cli.stage import Actor, Stage
from bakong_service.settings import Secret
from kit.redis import Redis

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.postgres,
    pytest.mark.uncounted,
    pytest.mark.skipif(sys.platform != "linux", reason="a pipe's end isn't watched everywhere as Linux does"),
]

LINK = Path(__file__).parent / "siege" / "slow_link.py"
LIMIT, REPLICAS, AT_ONCE = 400, 2, 150
CLIENTS = 25
SHARE = LIMIT // REPLICAS
AWAY_SECONDS = 5.5  # a replica asks Redis again after five seconds


class Backend:
    """A main backend that sends 150 requests at once, in turn to each replica, and counts what was granted."""

    def __init__(self, key: str, services: list[Actor]) -> None:
        self.headers = {"Authorization": f"Bearer {key}"}
        self.services = services
        self.granted = 0

    async def __aenter__(self) -> Self:
        # Many clients with few connections each: what one client works for a request grows with its connections.
        tls = httpx.create_ssl_context()
        self.clients = [
            [
                httpx.AsyncClient(base_url=each.url, headers=self.headers, timeout=30, trust_env=False, verify=tls)
                for each in self.services
            ]
            for _ in range(CLIENTS)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in chain.from_iterable(self.clients):
            await client.aclose()

    async def ask(self, *, only: int | None = None) -> int:
        """Ask 150 times at once. Return how many requests were granted; each other one is refused with 429."""
        replicas = range(len(self.services)) if only is None else [only]
        asked = islice(((one, replica) for one in cycle(range(CLIENTS)) for replica in replicas), AT_ONCE)
        statuses = await asyncio.gather(*(self._ask(self.clients[one][replica]) for one, replica in asked))
        assert set(statuses) <= {200, 429}, statuses
        self.granted += statuses.count(200)
        return statuses.count(200)

    @staticmethod
    async def _ask(client: httpx.AsyncClient) -> int:
        """Ask once. If the machine is too busy for 150 requests at once, come again when the answer says so."""
        answer = await client.get("/v1/payments")
        while answer.status_code == 503:
            await asyncio.sleep(int(answer.headers["Retry-After"]))
            answer = await client.get("/v1/payments")
        return answer.status_code


Replicas = Callable[[Secret], Backend]


@pytest.fixture
def replicas(postgresql_url: str, tmp_path: Path) -> Iterator[Replicas]:
    """Start two replicas with a Redis, and return a backend with a key that nobody has used."""
    with Stage(tmp_path) as stage:

        def start(redis_url: Secret) -> Backend:
            settings = {"DATABASE_URL": postgresql_url, "REDIS_URL": redis_url.reveal(), "REPLICAS": str(REPLICAS)}
            arguments = ("serve", "--no-workers")
            services = [
                stage.start_service(*arguments, RATE_LIMIT=f"{LIMIT}/hour", **settings) for _ in range(REPLICAS)
            ]
            headers = {"Authorization": f"Bearer {stage.api_key}"}
            new = {"name": "shop", "scopes": ["payments:read"]}
            made = httpx.post(f"{services[0].url}/v1/keys", json=new, headers=headers, trust_env=False)
            return Backend(made.json()["key"], services)

        yield start


@frozen
class Link:
    """The way to Redis, which can be slow."""

    process: asyncio.subprocess.Process
    url: Secret

    async def hold(self, seconds: float) -> None:
        """Hold each answer back for so long from now on."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{seconds}\n".encode())
        await self.process.stdout.readline()


@pytest.fixture
async def link(redis_server: Redis) -> AsyncIterator[Link]:
    pipe = asyncio.subprocess.PIPE
    arguments = (sys.executable, str(LINK), str(redis_server.port))
    process = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    yield Link(process, Secret(f"redis://127.0.0.1:{port}"))
    process.kill()
    await process.wait()


async def test_a_killed_redis_fails_no_request_and_a_restarted_one_is_told_what_was_granted(
    replicas: Replicas, redis_server: Redis
) -> None:
    async with replicas(redis_server.url) as shop:
        await shop.ask()
        asking = asyncio.create_task(shop.ask())
        await asyncio.sleep(0.05)
        await redis_server.kill()
        await asking
        await shop.ask()
        assert shop.granted <= LIMIT + SHARE
        await redis_server.start()
        await asyncio.sleep(AWAY_SECONDS)
        for only in (0, 0, 0, None, 1):  # Redis has forgotten everything; each replica still knows what it granted
            await shop.ask(only=only)
        assert LIMIT <= shop.granted <= LIMIT + SHARE


async def test_a_slow_redis_fails_no_request_and_no_limit(replicas: Replicas, link: Link) -> None:
    async with replicas(link.url) as shop:
        await shop.ask()
        await link.hold(0.2)
        for _ in range(3):
            await shop.ask()
        await link.hold(0)
        await asyncio.sleep(AWAY_SECONDS)
        for _ in range(2):
            await shop.ask()
        assert LIMIT <= shop.granted <= LIMIT + SHARE
