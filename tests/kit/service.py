"""The service over ASGI, in test mode with the simulator's address, and its clients."""

from collections.abc import Callable
from typing import Any

import attrs
import httpx

from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.operations.payments.settling import settle
from bakong_service.storage.payments import payments
from bakong_service.web.http.application import application
from bakong_service.web.http.service import Service
from kit.described import Described

SIMULATOR = "http://127.0.0.1:9"
ENVIRONMENT = {
    "MODE": "test",
    "BAKONG_DEVELOPER_TOKEN": "simulator",
    "BAKONG_BASE_URL": SIMULATOR,
    "BAKONG_MERCHANT_ID": "sokha@aclb",
    "MERCHANT_NAME": "Sokha Coffee",
    "MAIN_BACKEND_API_KEY": "the-main-backend-key-of-the-tests",
    "KEY_PEPPER": "the-pepper-of-the-tests-d27a90c4e1",
    "ENCRYPTION_KEY": "9f86d081884c7d659a2feaa0c55ad015",
}
LIVE = {
    **ENVIRONMENT,
    "MODE": "live",
    "BAKONG_BASE_URL": "https://api-bakong.nbc.gov.kh",
}
ServiceOf = Callable[..., Service]


async def deeplink(payload: str) -> str:
    """Bakong, as far as links go."""
    return f"https://bakong.example/{len(payload)}"


def client_of(service: Service, key: str | None = ENVIRONMENT["MAIN_BACKEND_API_KEY"]) -> httpx.AsyncClient:
    """A client of a service, over ASGI."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=Described(application(service)), base_url="http://service", headers=headers)


async def pay(service: Service, reference: str, **differently: Any) -> None:
    """Let the watcher find money for a payment: what the payment asks for, unless `differently` says otherwise."""
    now = service.clock.now()
    found = await service.executor.read(lambda connection: payments.by_reference(connection, reference))
    assert found is not None
    asked_for = Sighting(
        tx_hash=f"{found.md5}{len(differently)}",
        amount=found.amount.decimal,
        currency=found.amount.currency,
        to_account=found.to_account,
        sent_at=now,
    )
    outcome = Outcome(answer=Answer.FOUND, asked_at=now, sighting=attrs.evolve(asked_for, **differently))
    await service.run("user", lambda work: settle(work, found.id, outcome))
