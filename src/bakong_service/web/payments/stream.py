"""Sends each new version of one payment as a server-sent event, to a page that shows the payment's QR.

The stream ends when the payment is neither pending, timed out nor failed, when the service stops, or after
`BOUNDS.stream_seconds`. In the last two cases the browser connects again and names the last version that it has.
"""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from bakong_service import resources
from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.operations.payments import requests as operations
from bakong_service.web.http import limits
from bakong_service.web.http.auth import act, caller
from bakong_service.web.http.server import BOUNDS
from bakong_service.web.http.service import of
from bakong_service.web.payments.payments import find

_PING_SECONDS = 15
_VIEWED_AGAIN_SECONDS = 30.0  # while nothing changes, how often a stream stores that its page is still open
_OPEN = (PaymentStatus.PENDING, PaymentStatus.TIMEOUT, PaymentStatus.FAILED)  # a failed payment can be paid again


async def read(request: Request) -> Response:
    """Send the payment now and after each change, as `event: payment`. `data` is the payment, and `id` is its version.

    A caller that connects again sends the last version that it has as `Last-Event-ID`, and then gets only what changed
    since. The answer is 204 if nothing changed and the payment is neither pending, timed out nor failed. A browser's
    `EventSource` connects again and again until it gets a 204.
    """
    await limits.enter_stream(request)  # raises a 503 `Problem` if the caller has too many streams
    payment = await find(request)
    is_known = request.headers.get("last-event-id") == str(payment.version)
    if is_known and payment.status not in _OPEN:
        return Response(status_code=204)
    return EventSourceResponse(_changes(request, payment, is_known=is_known), ping=_PING_SECONDS)


async def _changes(request: Request, payment: Payment, *, is_known: bool) -> AsyncIterator[ServerSentEvent]:
    """Yield the payment unless the caller knows it, and then each later version until the stream ends."""
    service = of(request)
    ends_at = anyio.current_time() + BOUNDS.stream_seconds
    shape = resources.PaymentForPayer.of if caller(request).is_payer else resources.Payment.of
    if not is_known:
        yield _told(shape, payment)
    while payment.status in _OPEN and not service.stopping.is_set() and anyio.current_time() < ends_at:
        await _viewed(request, payment.reference)
        known = payment.version
        payment = await service.changes.until(
            payment.reference,
            lambda: find(request),
            partial(_differs, known),
            seconds=_VIEWED_AGAIN_SECONDS,
            stopping=service.stopping,
        )
        if _differs(known, payment):
            yield _told(shape, payment)


def _differs(known: int, payment: Payment) -> bool:
    """Return whether the payment has another version than the one that the caller knows."""
    return payment.version != known


async def _viewed(request: Request, reference: str) -> None:
    """Store that the page with the QR is open. The watcher asks Bakong about such payments first."""
    await act(request, lambda work: operations.viewed(work, reference))


def _told(shape: Callable[[Payment], Any], payment: Payment) -> ServerSentEvent:
    """Return the event that carries a payment."""
    return ServerSentEvent(data=resources.encode(shape(payment)).decode(), event="payment", id=str(payment.version))
