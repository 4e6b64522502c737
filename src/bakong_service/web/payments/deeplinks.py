"""The link that opens the payer's bank app with the code in it. Bakong makes it, when it is wanted."""

from datetime import timedelta

import structlog
from starlette.requests import Request
from starlette.responses import Response

from bakong_khqr.errors import BakongError
from bakong_service.domain.errors import Conflict
from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.resources import Deeplink
from bakong_service.web.http import answers, limits
from bakong_service.web.http.problems import Problem
from bakong_service.web.http.service import of
from bakong_service.web.payments.payments import find, payload

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 30


async def read(request: Request) -> Response:
    """The link of a payment that may be paid; 503 while Bakong can't make one."""
    payment = await find(request)
    link = await link_of(request, payment)
    return answers.json(Deeplink(payment=payment.reference, deeplink=link))


async def link_of(request: Request, payment: Payment) -> str:
    """Return the link of a payment. Raises `Conflict`, and a 503 `Problem` while Bakong makes none."""
    service = of(request)
    if payment.status is not PaymentStatus.PENDING:
        raise Conflict(
            f"payment_{payment.status.value}", f"the payment is {payment.status.value}: it takes no payer now"
        )
    await limits.enter_stream(request)
    try:
        return await service.deeplink(payload(service, payment))
    except BakongError as error:
        log.warning("no_deeplink", payment=payment.reference, error=type(error).__name__)
        wait = timedelta(seconds=_RETRY_SECONDS) if error.retry_at is None else error.retry_at - service.clock.now()
        headers = {"Retry-After": str(max(1, int(wait.total_seconds())))}
        detail = "Bakong makes no link now; the QR can be paid all the same"
        raise Problem(status=503, code="bakong_away", detail=detail, headers=headers, retryable=True) from error
