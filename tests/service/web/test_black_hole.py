"""PostgreSQL behind a link that swallows everything: every caller learns it soon, and all is well soon afterwards."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from itertools import cycle, islice
from typing import Any

import httpx
import pytest

from bakong_service.storage.engine.postgresql import PostgresqlExecutor
from bakong_service.web.http.route import Route
from bakong_service.web.http.service import Service
from bakong_service.web.routes import ROUTES

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

AT_ONCE = 56
SECONDS, AGAIN_SECONDS = 8, 5
ASKING = [
    route
    for route in ROUTES
    # A route that looks at its own input first says what is wrong with it, and needs no database for that.
    if not route.offline and not route.signed and route.body is None and route.scope is not None
]


@pytest.fixture
async def executor(link: Any) -> AsyncIterator[PostgresqlExecutor]:
    """What the service runs on here: as patient as a real one."""
    executor = PostgresqlExecutor(link.url)
    yield executor
    await executor.close()


async def ask(client: httpx.AsyncClient, route: Route) -> tuple[str, int, float]:
    begun = time.monotonic()
    path = re.sub(r"\{\w+\}", "none", route.path)
    if route.path == "/v1/reports/takings":
        path += "?from=2026-11-01&until=2026-12-01"
    answer = await client.request(route.method, path)
    return f"{route.method} {path}", answer.status_code, time.monotonic() - begun


async def test_every_route_says_soon_that_the_database_is_away_and_works_soon_after(
    client: httpx.AsyncClient, service: Service, link: Any
) -> None:
    await asyncio.gather(*(client.get("/v1/payments") for _ in range(10)))  # connections are open
    link.darken()
    answers = await asyncio.gather(*(ask(client, route) for route in islice(cycle(ASKING), AT_ONCE)))
    assert len({path for path, _, _ in answers}) == len(ASKING)
    assert [each for each in answers if each[1] != 503 or each[2] > SECONDS] == []
    _, status, seconds = await ask(client, ASKING[0])
    assert (status, seconds < SECONDS) == (503, True)
    link.dark = False
    back = time.monotonic()
    while (await client.get("/health/ready")).status_code != 200:
        assert time.monotonic() - back < AGAIN_SECONDS
        await asyncio.sleep(0.02)
    assert time.monotonic() - back < AGAIN_SECONDS
    assert (await client.get("/v1/payments")).status_code == 200
