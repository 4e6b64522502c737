"""What callers do with payments: make one, cancel it, hint that it may be paid, ask for a look."""

from attrs import evolve

from bakong_service.domain.errors import Conflict, Fault, Invalid, NotFound, Refused
from bakong_service.domain.look import LookReason
from bakong_service.domain.payment import HINTABLE, NewPayment, On, Payment, Purpose, find
from bakong_service.domain.return_urls import is_allowed
from bakong_service.domain.watching import Priority, hint_priority, takes_hint
from bakong_service.operations.payments.issuing import issue
from bakong_service.operations.payments.settling import settle as settle
from bakong_service.operations.payments.transition import carry_out
from bakong_service.operations.subscriptions import purchases as subscriptions
from bakong_service.operations.subscriptions.plans import check_on_sale, unknown
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.engine.signals import CHECKS, signal
from bakong_service.storage.payments import payments
from bakong_service.storage.subscriptions import plans


def create(work: UnitOfWork, request: NewPayment) -> Payment:
    """Make the payment that a caller asks for. Raises `Invalid` with each field, or `Conflict`."""
    _check_return_urls(work, request)
    if request.plan is None:
        return _create_one_off(work, request)
    return _create_for_plan(work, request, request.plan)


def _check_return_urls(work: UnitOfWork, request: NewPayment) -> None:
    """Refuse addresses that the settings don't allow: else anybody with an API key could redirect payers."""
    allowed = work.business.payments.return_urls
    known = ", ".join(allowed) or "which isn't set"
    rule = f"must begin with an address of RETURN_URLS ({known})"
    given = () if request.return_urls is None else request.return_urls.given()
    faults = tuple(
        Fault(f"/{name}", "return_url_not_allowed", rule) for name, url in given if not is_allowed(url, allowed)
    )
    if faults:
        raise Invalid("return_url_not_allowed", f"{faults[0].pointer}: {rule}", faults)


def _create_one_off(work: UnitOfWork, request: NewPayment) -> Payment:
    amount = request.amount
    if amount is None:
        raise Invalid.at("/amount", "required", "amount and currency are required unless there is a plan")
    if amount.minor <= 0:
        raise Invalid.at("/amount", "amount_not_positive", f"the amount must be more than 0, not {amount}")
    at_most = work.business.payments.open_per_user
    if request.user_id is not None and at_most <= payments.count_pending_of(
        work.connection, request.user_id, Purpose.ONE_OFF, at_most=at_most
    ):
        detail = f"user {request.user_id} has {at_most} open payments; wait until one closes, or cancel one"
        raise Conflict("too_many_open_payments", detail)
    return issue(
        work,
        user_id=request.user_id,
        purpose=Purpose.ONE_OFF,
        plan=None,
        amount=amount,
        request=request,
    )


def _create_for_plan(work: UnitOfWork, request: NewPayment, code: str) -> Payment:
    if request.user_id is None:
        raise Invalid.at("/user_id", "required", "user_id is required with a plan: it names the user who gets the plan")
    plan = plans.latest(work.connection, code)
    if plan is None:
        raise unknown(work, code)
    purchase = subscriptions.purpose_of(work, user_id=request.user_id, plan=plan)
    if purchase.purpose is Purpose.NEW:
        check_on_sale(work, plan)
    if request.amount is not None and request.amount != plan.price:
        rule = f"the plan {code} costs {plan.price} {plan.price.currency}; leave the amount out, or send this price"
        raise Invalid.at("/amount", "amount_not_the_price", rule)
    return issue(
        work,
        user_id=request.user_id,
        purpose=purchase.purpose,
        plan=plan,
        amount=purchase.price,
        subscription_id=purchase.subscription_id,
        credit_reserved=purchase.credit_reserved,
        request=request,
    )


def record_refusal(work: UnitOfWork, refused: Refused) -> None:
    """Write to the audit log that a payment was refused, and why. The refused request itself leaves no other trace."""
    work.audit("payment.not_created", details={"code": refused.code, "detail": refused.detail})


def cancel(work: UnitOfWork, reference: str, *, reason: str) -> Payment:
    """Cancel an open payment (M12). The watcher goes on looking, so money that comes later isn't lost.

    Raises `NotFound` and `Conflict`.
    """
    payment = _held(work, reference)
    return carry_out(work, payment, find(payment, On.CANCEL), reason=reason)


def hint(work: UnitOfWork, reference: str) -> Payment:
    """Store the hint that the payer may have paid, and plan a look at once, in any status.

    A hint costs a call, so `watching.takes_hint` limits hints. A hint beyond the limit changes nothing, and the answer
    shows another reason for the next look (`watching.is_hinted`).
    """
    payment = _held(work, reference)
    if not takes_hint(payment, at_most=work.business.payments.hints_per_payment, now=work.now):
        return payment
    return _look_soon(work, evolve(payment, hints=payment.hints + 1), hint_priority(payment))


def check(work: UnitOfWork, reference: str) -> Payment:
    """Plan a look at once because an operator asks for it. No status and no limit of hints refuses it."""
    payment = _held(work, reference)
    work.audit("payment.checked", reference, details={"status": payment.status.value})
    return _look_soon(work, payment, Priority.HINT)


def _look_soon(work: UnitOfWork, payment: Payment, priority: int) -> Payment:
    due = work.now if payment.next_check_at is None else min(work.now, payment.next_check_at)
    hinted = evolve(payment, hint_at=work.now, next_check_at=due, next_check_reason=LookReason.HINT, priority=priority)
    payments.hasten(work.connection, hinted)
    signal(work.connection, CHECKS, payment.reference)
    return hinted


def viewed(work: UnitOfWork, reference: str) -> Payment:
    """Store that a page with the QR is open. While it is open, this payment is looked at before others."""
    payment = _held(work, reference)
    if payment.status in HINTABLE and work.now < payment.deadline_at:
        payment = evolve(payment, viewed_at=work.now, priority=min(payment.priority, Priority.PAGE_OPEN))
        payments.hasten(work.connection, payment)
    return payment


def _held(work: UnitOfWork, reference: str) -> Payment:
    found = payments.by_reference(work.connection, reference)
    held = found and payments.lock(work.connection, found.id)
    if held is None:
        raise NotFound("payment_not_found", f"there is no payment {reference[:64]}")
    return held
