"""Server-sent events of one payment, for a page that shows its QR: each version, until nothing more can come."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.operations import payments as operations
from bakong_service.operations import presenting
from bakong_service.web.answers import encode
from bakong_service.web.payments import find
from bakong_service.web.service import of

_PING_SECONDS = 15
_LONGEST = timedelta(minutes=30)
_VIEWED_AGAIN_SECONDS = 30.0
_OPEN = (PaymentStatus.PENDING, PaymentStatus.TIMEOUT)


async def read(request: Request) -> Response:
    """`event: payment` with the payment as `data` and its version as `id`, now and after each change."""
    payment = await find(request)
    return EventSourceResponse(_changes(request, payment), ping=_PING_SECONDS)


async def _changes(request: Request, payment: Payment) -> AsyncIterator[ServerSentEvent]:
    service = of(request)
    ends_at = anyio.current_time() + _LONGEST.total_seconds()
    yield _told(payment)
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
            yield _told(payment)


def _differs(known: int, payment: Payment) -> bool:
    return payment.version != known


async def _viewed(request: Request, reference: str) -> None:
    """Let the watcher know that somebody looks at the QR: such payments are looked at first."""
    service = of(request)
    now = service.clock.now()
    await service.executor.run(lambda connection: operations.viewed(connection, service.business, reference, now=now))


def _told(payment: Payment) -> ServerSentEvent:
    return ServerSentEvent(data=encode(presenting.payment(payment)).decode(), event="payment", id=str(payment.version))
