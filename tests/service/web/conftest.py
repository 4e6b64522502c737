"""The service over ASGI, on both databases; nothing is mocked but the network."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from bakong_service.app import business_of
from bakong_service.clock import Clock
from bakong_service.operations import plans
from bakong_service.settings import Settings
from bakong_service.storage.executor import Executor
from bakong_service.web.application import application
from bakong_service.web.changes import Changes
from bakong_service.web.service import Service

ENVIRONMENT = {
    "MODE": "test",
    "BAKONG_DEVELOPER_TOKEN": "simulator",
    "BAKONG_BASE_URL": "http://127.0.0.1:9",
    "BAKONG_MERCHANT_ID": "sokha@aclb",
    "MERCHANT_NAME": "Sokha Coffee",
    "MAIN_BACKEND_API_KEY": "the-main-backend-key-of-the-tests",
    "KEY_PEPPER": "the-pepper-of-the-tests-0123456789",
    "ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef",
}
LIVE = {
    **ENVIRONMENT,
    "MODE": "live",
    "BAKONG_BASE_URL": "https://api-bakong.nbc.gov.kh",
}


@pytest.fixture
def environment() -> dict[str, str]:
    """A good environment of test mode."""
    return dict(ENVIRONMENT)


@pytest.fixture
def live_environment() -> dict[str, str]:
    """A good environment of live mode."""
    return dict(LIVE)


ServiceOf = Callable[..., Service]


@pytest.fixture
async def service_of(executor: Executor) -> ServiceOf:
    """Make a service of settings on this test's database."""
    clock = Clock()
    business = business_of(Settings.from_environment(ENVIRONMENT))
    await executor.run(lambda connection: plans.ensure_defaults(connection, business, now=clock.now()))

    def make(**changes: str) -> Service:
        settings = Settings.from_environment({**ENVIRONMENT, **changes})
        return Service(
            executor=executor,
            business=business_of(settings),
            clock=clock,
            settings=settings,
            changes=Changes(executor),
            deeplink=deeplink,
        )

    return make


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    """A service in test mode."""
    return service_of()


async def deeplink(payload: str) -> str:
    """Bakong, as far as links go."""
    return f"https://bakong.example/{len(payload)}"


def client_of(service: Service, key: str | None = ENVIRONMENT["MAIN_BACKEND_API_KEY"]) -> httpx.AsyncClient:
    """A client of a service, over ASGI."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    transport = httpx.ASGITransport(app=application(service), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers)


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


@pytest.fixture
def client_to() -> Callable[..., httpx.AsyncClient]:
    """Make a client of a service: `client_to(service, key=...)`."""
    return client_of
