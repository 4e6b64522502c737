"""What callers do with payments: make one, cancel it, hint that it may be paid, look at it."""

from datetime import datetime, timedelta

from attrs import evolve
from sqlalchemy import Connection

from bakong_service.domain.errors import Conflict, Fault, Invalid, NotFound, Refused
from bakong_service.domain.payment import HINTABLE, NewPayment, On, Payment, Purpose, find
from bakong_service.domain.watching import Priority
from bakong_service.operations import subscriptions
from bakong_service.operations.business import Business
from bakong_service.operations.issuing import issue
from bakong_service.operations.settling import settle as settle
from bakong_service.operations.transition import carry_out
from bakong_service.storage import audit, payments, plans
from bakong_service.storage.signals import CHECKS, signal

HINTS_APART = timedelta(seconds=10)


def create(connection: Connection, business: Business, request: NewPayment, *, actor: str, now: datetime) -> Payment:
    """Make the payment that a caller asks for. Raises `Invalid`, naming each field, or `Conflict`."""
    if request.plan is None:
        return _create_one_off(connection, business, request, actor, now)
    return _create_for_plan(connection, business, request, request.plan, actor, now)


def _create_one_off(
    connection: Connection, business: Business, request: NewPayment, actor: str, now: datetime
) -> Payment:
    amount = request.amount
    if amount is None:
        raise _invalid("/amount", "required", "amount and currency are required unless a plan is named")
    if amount.minor <= 0:
        raise _invalid("/amount", "amount_not_positive", f"the amount must be more than 0, not {amount}")
    at_most = business.payments.open_per_user
    if request.user_id is not None and at_most <= payments.count_pending_of(
        connection, request.user_id, Purpose.ONE_OFF, at_most=at_most
    ):
        detail = f"user {request.user_id} has {at_most} open payments; wait until one closes, or cancel one"
        raise Conflict("too_many_open_payments", detail)
    return issue(
        connection,
        business,
        user_id=request.user_id,
        purpose=Purpose.ONE_OFF,
        plan=None,
        amount=amount,
        description=request.description,
        metadata=request.metadata,
        actor=actor,
        now=now,
    )


def _create_for_plan(
    connection: Connection, business: Business, request: NewPayment, code: str, actor: str, now: datetime
) -> Payment:
    if request.user_id is None:
        raise _invalid("/user_id", "required", "user_id is required with a plan: it is the user that gets it")
    plan = plans.latest(connection, code)
    if plan is None:
        known = ", ".join(plan.code for plan in plans.every_latest(connection))
        raise _invalid("/plan", "unknown_plan", f"there is no plan {code!r}; there are {known}")
    purchase = subscriptions.purpose_of(connection, business, user_id=request.user_id, plan=plan, now=now)
    if request.amount is not None and request.amount != plan.price:
        rule = f"the plan {code} costs {plan.price} {plan.price.currency}; leave the amount out, or send that"
        raise _invalid("/amount", "amount_not_the_price", rule)
    return issue(
        connection,
        business,
        user_id=request.user_id,
        purpose=purchase.purpose,
        plan=plan,
        amount=purchase.price,
        subscription_id=purchase.subscription_id,
        credit_reserved=purchase.credit_reserved,
        description=request.description,
        metadata=request.metadata,
        actor=actor,
        now=now,
    )


def record_refusal(connection: Connection, business: Business, refused: Refused, *, actor: str, now: datetime) -> None:
    """Put into the audit that a payment could not be made, and why: what was refused itself left nothing behind."""
    details = {"code": refused.code, "detail": refused.detail}
    audit.write(connection, business.identifiers, action="payment.not_created", actor=actor, details=details, now=now)


def cancel(
    connection: Connection, business: Business, reference: str, *, reason: str, actor: str, now: datetime
) -> Payment:
    """Cancel an open payment (M12). Its QR is still watched: who pays it all the same isn't lost. Raises `Conflict`."""
    payment = _held(connection, reference)
    return carry_out(connection, business, payment, find(payment, On.CANCEL), reason=reason, actor=actor, now=now)


def hint(connection: Connection, business: Business, reference: str, *, now: datetime) -> Payment:
    """Somebody says that the payer is done: look soon. A hint costs a call, so a payment takes one in ten seconds, and
    only so many of them; further ones change nothing, and no harm is done."""
    payment = _held(connection, reference)
    too_soon = payment.hint_at is not None and now - payment.hint_at < HINTS_APART
    if payment.status not in HINTABLE or too_soon or payment.hints >= business.payments.hints_per_payment:
        return payment
    due = now if payment.next_check_at is None else min(now, payment.next_check_at)
    hinted = evolve(
        payment,
        hint_at=now,
        hints=payment.hints + 1,
        next_check_at=due,
        next_check_reason="hint",
        priority=Priority.HINT,
    )
    payments.hasten(connection, hinted)
    signal(connection, CHECKS, reference)
    return hinted


def viewed(connection: Connection, business: Business, reference: str, *, now: datetime) -> Payment:  # noqa: ARG001
    """A page with the QR is open: while it is, the payment is looked at before others."""
    payment = _held(connection, reference)
    if payment.status in HINTABLE and now < payment.deadline_at:
        payment = evolve(payment, viewed_at=now, priority=min(payment.priority, Priority.PAGE_OPEN))
        payments.hasten(connection, payment)
    return payment


def _held(connection: Connection, reference: str) -> Payment:
    found = payments.by_reference(connection, reference)
    held = found and payments.lock(connection, found.id)
    if held is None:
        raise NotFound("payment_not_found", f"there is no payment {reference!r}")
    return held


def _invalid(pointer: str, code: str, message: str) -> Invalid:
    return Invalid(code, message, (Fault(pointer, code, message),))
