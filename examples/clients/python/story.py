"""A whole story against a service in test mode, with a client that openapi-python-client generated.

Sell a plan, have it paid by the simulator, follow the payment, upgrade the subscription after a preview, cancel it, and
verify the webhook that tells of it.

    openapi-python-client generate --path docs/openapi.json --meta none --output-path bakong_service_client
    SERVICE_URL=http://127.0.0.1:3002 API_KEY=... python story.py
"""

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import TypeVar
from uuid import uuid4

from bakong_service_client import AuthenticatedClient
from bakong_service_client.api.endpoints import delete_v1_endpoints_reference, post_v1_endpoints
from bakong_service_client.api.payments import (
    get_v1_payments_reference,
    post_v1_payments,
    post_v1_payments_reference_check,
)
from bakong_service_client.api.subscriptions import (
    post_v1_subscriptions_reference_cancel,
    post_v1_subscriptions_reference_upgrade,
)
from bakong_service_client.api.test import post_v1_test_pay
from bakong_service_client.api.users import get_v1_users_user_id_subscription
from bakong_service_client.models import (
    CancelSubscriptionBody,
    EndpointWithSecret,
    NewEndpointBody,
    NewPaymentBody,
    PayBody,
    PaymentStatus,
    PaymentWithQR,
    PaymentWithValue,
    SimulatedPayment,
    Subscription,
    SubscriptionEvent,
    SubscriptionStatus,
    Upgrade,
    UpgradeBody,
    UpgradePreview,
)

from bakong_service import webhooks

T = TypeVar("T")

USER = f"python/{uuid4()}"


def got(answer: object, shape: type[T]) -> T:
    """Return the answer if it has the shape that is expected; else fail with the problem."""
    if not isinstance(answer, shape):
        raise TypeError(f"expected {shape.__name__}, got {answer}")
    return answer


def listen(secrets: "Queue[str]", events: "Queue[SubscriptionEvent]") -> ThreadingHTTPServer:
    """Receive webhooks on a free port: verify each, and keep those of subscriptions."""
    secret: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not secret:
                secret.append(secrets.get(timeout=10))
            event = webhooks.verify(body, dict(self.headers), secret[0])
            if event["type"].startswith("subscription."):
                events.put(SubscriptionEvent.from_dict(event))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def pay(service: AuthenticatedClient, reference: str) -> None:
    """Pay through the simulator, and wait until the service has seen the money."""
    got(post_v1_test_pay.sync(client=service, body=PayBody(reference=reference)), SimulatedPayment)
    got(post_v1_payments_reference_check.sync(reference, client=service), PaymentWithQR)
    status = PaymentStatus.PENDING
    while status is PaymentStatus.PENDING:
        payment = got(get_v1_payments_reference.sync(reference, client=service, wait=25), PaymentWithValue)
        status = payment.status
    assert status is PaymentStatus.PAID, status
    print(f"{reference} is paid: {payment.value.received} {payment.currency.value}")


def main() -> None:
    """Play the story."""
    secrets: Queue[str] = Queue()
    events: Queue[SubscriptionEvent] = Queue()
    receiver = listen(secrets, events)
    url = f"http://127.0.0.1:{receiver.server_port}/"
    service = AuthenticatedClient(os.environ["SERVICE_URL"], os.environ["API_KEY"])
    endpoint = got(post_v1_endpoints.sync(client=service, body=NewEndpointBody(url=url)), EndpointWithSecret)
    secrets.put(endpoint.secret)

    bought = NewPaymentBody(user_id=USER, plan="PREMIUM")
    made = post_v1_payments.sync(client=service, body=bought, idempotency_key=str(uuid4()))
    payment = got(made, PaymentWithQR)
    print(f"pay {payment.amount} {payment.currency.value}: {payment.qr}")
    pay(service, payment.reference)

    read = get_v1_users_user_id_subscription.sync(USER, client=service)
    subscription = got(read, Subscription)
    here = subscription.reference
    print(f"{subscription.plan} until {subscription.entitled_until}")

    dearer = UpgradeBody(plan="FAMILY_PREMIUM", preview=True)
    told = post_v1_subscriptions_reference_upgrade.sync(here, client=service, body=dearer)
    preview = got(told, UpgradePreview)
    print(f"the upgrade would cost {preview.amount} {preview.currency.value}")
    dearer = UpgradeBody(plan="FAMILY_PREMIUM")
    key = str(uuid4())
    asked = post_v1_subscriptions_reference_upgrade.sync(here, client=service, body=dearer, idempotency_key=key)
    pay(service, got(got(asked, Upgrade).payment, PaymentWithQR).reference)

    moved = CancelSubscriptionBody(reason="moved")
    ended = post_v1_subscriptions_reference_cancel.sync(here, client=service, body=moved)
    assert got(ended, Subscription).status is SubscriptionStatus.CANCELLED
    while (event := events.get(timeout=30)).type_.value != "subscription.cancelled" or event.data.user_id != USER:
        pass
    print(f"a webhook told it: {event.data.cancel_reason}")
    delete_v1_endpoints_reference.sync(endpoint.reference, client=service)
    receiver.shutdown()


if __name__ == "__main__":
    main()
