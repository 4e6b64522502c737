"""The link that opens the payer's bank app with the code in it. Bakong makes it, when it is wanted."""

from datetime import timedelta

import structlog
from starlette.requests import Request
from starlette.responses import Response

from bakong_khqr.errors import BakongError
from bakong_service.domain.errors import Conflict
from bakong_service.domain.payment import PaymentStatus
from bakong_service.web import answers
from bakong_service.web.payments import find, payload
from bakong_service.web.problems import Problem
from bakong_service.web.service import of

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 30


async def read(request: Request) -> Response:
    """The link of a payment that may be paid; 503 while Bakong can't make one."""
    service, payment = of(request), await find(request)
    if payment.status is not PaymentStatus.PENDING:
        raise Conflict(
            f"payment_{payment.status.value}", f"the payment is {payment.status.value}: it takes no payer now"
        )
    try:
        link = await service.deeplink(payload(service, payment))
    except BakongError as error:
        log.warning("no_deeplink", payment=payment.reference, error=type(error).__name__)
        wait = timedelta(seconds=_RETRY_SECONDS) if error.retry_at is None else error.retry_at - service.clock.now()
        headers = {"Retry-After": str(max(1, int(wait.total_seconds())))}
        detail = "Bakong makes no link now; the QR can be paid all the same"
        raise Problem(status=503, code="bakong_away", detail=detail, headers=headers, retryable=True) from error
    return answers.json({"object": "deeplink", "payment": payment.reference, "deeplink": link})
