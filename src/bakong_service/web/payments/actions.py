"""Requests about payments that exist: check one, check many, cancel one.

None of them waits for Bakong. A hint plans a look, and the watcher makes that look soon after.
"""

from typing import Annotated

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.payment import HINTABLE
from bakong_service.domain.watching import is_hinted
from bakong_service.operations.payments import requests as operations
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.resources import CheckedPayment, Checks, Payment, PaymentForPayer
from bakong_service.storage.payments import payments
from bakong_service.web.http import answers, bodies
from bakong_service.web.http.auth import act, caller, permit
from bakong_service.web.http.idempotency import Success, idempotent
from bakong_service.web.http.service import of
from bakong_service.web.payments.payments import find, with_qr


@frozen(kw_only=True)
class CancelPaymentBody:
    """The reason of the cancellation, which the payment's history keeps."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)] = "cancelled by the caller"


@frozen(kw_only=True)
class CheckBody:
    """Whether an operator asks. An operator's check isn't counted as a hint, and no limit refuses it."""

    by_operator: bool = False


@frozen(kw_only=True)
class ChecksBody:
    """The MD5s of 1 to 50 payments, each in 32 lower-case hexadecimal digits."""

    md5s: Annotated[list[Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]], Meta(min_length=1, max_length=50)]


async def check(request: Request) -> Response:
    """Ask the service to look at a payment soon, in any status: the payer says "I have paid", or an operator asks.

    202 if the next look is made because of a hint; `next_check_at` says when. 200 if this hint plans no look: it came
    too soon after the last hint, or the payment has used up its hints. Both answers contain the payment.
    With `by_operator` (scope `operator`) the look is never refused, and the answer is always 202.
    """
    body = await bodies.parse(request, CheckBody)
    reference = (await find(request)).reference
    if body.by_operator:
        permit(caller(request), "operator")
    ask = operations.check if body.by_operator else operations.hint
    payment = await act(request, lambda work: ask(work, reference))
    shown = PaymentForPayer.of(payment) if caller(request).is_payer else with_qr(of(request), payment)
    return answers.json(shown, 202 if is_hinted(payment) else 200)


async def checks(request: Request) -> Response:
    """Read up to 50 payments by their MD5s. The answer has each payment as it is stored; null for an unknown MD5.

    Each payment that may still become paid gets a hint, within the limits of its hints. This request doesn't ask Bakong
    itself: after a hint, the watcher does so soon.
    """
    md5s = (await bodies.parse(request, ChecksBody)).md5s

    def operation(work: UnitOfWork) -> list[CheckedPayment]:
        results = []
        for md5 in dict.fromkeys(md5s):  # each MD5 once, in the order of the request
            payment = payments.by_md5(work.connection, md5)
            if payment is not None and payment.status in HINTABLE:
                payment = operations.hint(work, payment.reference)
            results.append(CheckedPayment(md5=md5, payment=None if payment is None else Payment.of(payment)))
        return results

    return answers.json(Checks(data=await act(request, operation)))


async def cancel(request: Request) -> Response:
    """Cancel a pending payment. In any other status the answer is 409.

    The service goes on looking for its money. Money that comes after the cancellation becomes a review item.
    """
    reason = (await bodies.parse(request, CancelPaymentBody)).reason
    service, reference = of(request), request.path_params["reference"]
    return await idempotent(
        request, lambda work: Success(200, with_qr(service, operations.cancel(work, reference, reason=reason)))
    )
