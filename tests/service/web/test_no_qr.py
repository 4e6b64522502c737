"""A payment that no QR can be made of: an error that says why, and a line in the audit."""

import httpx
import pytest

from bakong_khqr import verify
from bakong_service.operations.payments import issuing
from bakong_service.storage import audit
from bakong_service.web.http.service import Service

pytestmark = pytest.mark.anyio


async def test_it_is_refused_and_on_record(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuing, "verify", lambda payload, now: verify(payload + "x", now=now))
    answer = await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD"})
    assert (answer.status_code, answer.json()["code"]) == (422, "khqr_invalid")
    assert "doesn't pass verification" in answer.json()["detail"]
    newest = (await service.executor.read(lambda connection: audit.page(connection, limit=1)))[0]
    assert newest.action == "payment.not_created"
    assert newest.details is not None
    assert newest.details["code"] == "khqr_invalid"
