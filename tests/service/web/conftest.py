"""The service over ASGI, on both databases; nothing is mocked but the network."""

import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import respx
from attrs import evolve

from bakong_khqr.testing import BakongSimulator
from bakong_service.app import business_of
from bakong_service.clock import Clock
from bakong_service.operations.subscriptions import plans
from bakong_service.operations.unit_of_work import transaction
from bakong_service.settings import Settings
from bakong_service.storage.engine.executor import Executor
from bakong_service.web.http.changes import Changes
from bakong_service.web.http.places import Places
from bakong_service.web.http.server import BOUNDS
from bakong_service.web.http.service import Service
from bakong_service.workers.watcher import Settlement
from bakong_service.workers.watcher_parts import watcher
from kit.clocks import BEGIN
from kit.redis import Redis
from kit.service import ENVIRONMENT, LIVE, SIMULATOR, ServiceOf, client_of, deeplink

AT_ONCE = evolve(BOUNDS, refusal_seconds=0)  # tests ask again at once


@pytest.fixture
def environment() -> dict[str, str]:
    """A good environment of test mode."""
    return dict(ENVIRONMENT)


@pytest.fixture
def live_environment() -> dict[str, str]:
    """A good environment of live mode."""
    return dict(LIVE)


@pytest.fixture
async def service_of(executor: Executor) -> ServiceOf:
    """Make a service of settings on this test's database."""
    clock = Clock()
    business = business_of(Settings.from_environment(ENVIRONMENT))
    await executor.run(transaction(business, "user", clock.now(), plans.ensure_defaults))

    def make(**changes: str) -> Service:
        settings = Settings.from_environment({**ENVIRONMENT, **changes})
        return Service(
            executor=executor,
            business=business_of(settings),
            clock=clock,
            settings=settings,
            changes=Changes(executor),
            deeplink=deeplink,
            places=Places(AT_ONCE),
        )

    return make


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    """A service in test mode."""
    return service_of()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """The main backend: a client with the first key."""
    async with client_of(service) as client:
        yield client


@pytest.fixture
async def stranger(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with client_of(service, key=None) as client:
        yield client


def behind_the_url(router: respx.MockRouter, simulator: BakongSimulator) -> BakongSimulator:
    app = httpx.ASGITransport(app=simulator.app)
    router.route(host="127.0.0.1", port=9).mock(side_effect=lambda request: app.handle_async_request(request))
    return simulator


@pytest.fixture
def simulator(respx_mock: respx.MockRouter) -> BakongSimulator:
    """The shipped simulator, behind BAKONG_BASE_URL."""
    return behind_the_url(respx_mock, BakongSimulator())


@pytest.fixture
async def settlement(
    service: Service, respx_mock: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Settlement]:
    """The watcher between the service and the simulator, in a world where time stands still. Of two transfers on one
    code it shows the last."""
    behind_the_url(respx_mock, BakongSimulator(clock=lambda: BEGIN, duplicate_shows="last"))
    monkeypatch.setattr(service.clock, "world", lambda: BEGIN)
    async with httpx.AsyncClient() as http:
        yield watcher(
            service.executor, service.business, service.clock,
            http=http, base_url=SIMULATOR, token="simulator", email=None, daily_limit=None,
        )  # fmt: skip


@pytest.fixture
async def redis_server(tmp_path: Path) -> AsyncIterator[Redis]:
    """A running Redis of the test's own, which it may kill; a test is skipped on a machine without one, never in CI."""
    program = shutil.which("redis-server")
    if program is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no redis-server on this machine")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    redis = Redis(program, port, tmp_path)
    await redis.start()
    yield redis
    await redis.kill()
