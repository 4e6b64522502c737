"""A replica whose key ring lacks the newest key: what another process sealed is a 503 there, and never a 500."""

import httpx
import pytest
from structlog.testing import capture_logs

from bakong_service.storage.engine import belonging
from bakong_service.web.http.service import Service
from kit.service import ENVIRONMENT, ServiceOf, client_of

pytestmark = pytest.mark.anyio

COFFEE = {"amount": "2.50", "currency": "USD"}
NEW = {"ENCRYPTION_KEYS": "2026b:6a1f0c8e9d7b4352a0e1c5d3f7b9a284"}


async def start(service: Service) -> None:
    """Check the keys as a start does. It writes which key seals from now on."""
    await belonging.prove(service.executor, service.business.vault, mode="test", now=service.clock.now())


@pytest.fixture
async def sealed(service: Service, service_of: ServiceOf) -> str:
    """The reference of a payment that another process sealed with a key that `service` lacks."""
    await start(service)
    ahead = service_of(**NEW)
    await start(ahead)
    async with client_of(ahead) as backend:
        return str((await backend.post("/v1/payments", json=COFFEE)).json()["reference"])


async def test_a_payment_sealed_with_a_key_that_the_process_lacks_is_a_503(
    client: httpx.AsyncClient, sealed: str
) -> None:
    with capture_logs() as lines:
        answer = await client.get(f"/v1/payments/{sealed}")
    assert (answer.status_code, answer.json()["code"]) == (503, "encryption_key_missing")
    assert (answer.headers["Retry-After"], answer.json()["retryable"]) == ("2", True)
    assert "2026b" not in answer.text
    alerts = [(line["event"], line["key_id"]) for line in lines if line["log_level"] == "error"]
    assert alerts == [("encryption_key_missing", "2026b")]


async def test_readiness_of_a_process_that_lacks_a_key_is_degraded(client: httpx.AsyncClient, sealed: str) -> None:
    told = (await client.get("/health/ready")).json()
    assert (told["status"], told["degraded"], told["missing_encryption_keys"]) == ("ready", True, ["2026b"])


async def test_readiness_of_a_process_that_has_every_key_is_not_degraded(sealed: str, service_of: ServiceOf) -> None:
    async with client_of(service_of(**NEW)) as backend:
        told = (await backend.get("/health/ready")).json()
    assert (told["degraded"], told["missing_encryption_keys"]) == (False, [])
    assert ENVIRONMENT["ENCRYPTION_KEY"] not in str(told)
