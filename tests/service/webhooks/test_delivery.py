"""From an event to the endpoint that wants it: at least once, signed, in the order of its subject."""

import json
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from bakong_service import webhooks
from bakong_service.domain.delivery import SCHEDULES, DeliveryState
from bakong_service.storage import deliveries

pytestmark = pytest.mark.anyio
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


async def test_an_event_arrives_signed_at_the_endpoint(shop, receiver) -> None:
    await shop.listen(receiver.url, secret=SECRET)
    reference = await shop.happen("pay_1", "payment.paid", amount="0.50")
    await shop.deliver()
    (request,) = receiver.requests
    event = webhooks.verify(request.body, request.headers, SECRET, now=shop.clock.now())
    assert event == json.loads(request.body) == {
        "id": reference,
        "type": "payment.paid",
        "api_version": "2026-11-01",
        "timestamp": "2026-11-01T12:00:00.000Z",
        "subject": "pay_1",
        "sequence": 1,
        "previous_status": "pending",
        "data": {"reference": "pay_1", "amount": "0.50"},
    }
    assert request.headers["webhook-id"] == reference
    assert request.headers["content-type"] == "application/json"
    assert request.target == "/hook"
    assert await shop.states() == [DeliveryState.DELIVERED]
