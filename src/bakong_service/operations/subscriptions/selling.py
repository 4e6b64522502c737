"""What money or credit buys: the first period of a subscription, one more period, or another plan for paid periods."""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction

from attrs import evolve

from bakong_service.domain import ledger as accounts
from bakong_service.domain import lifecycle
from bakong_service.domain.identifiers import derived_reference
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Flag, Payment, Purpose
from bakong_service.domain.plan import Plan
from bakong_service.domain.purchase import Incoming
from bakong_service.domain.subscription import Happening, Period, Subscription
from bakong_service.domain.value import Share, revalued
from bakong_service.operations.ledger import moving
from bakong_service.operations.payments import issuing
from bakong_service.operations.subscriptions import boundaries
from bakong_service.operations.subscriptions.recording import Cause, record
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.subscriptions import periods, plan_changes, subscriptions


def begin(
    work: UnitOfWork,
    *,
    user_id: str,
    plan: Plan,
    payment: Payment,
    incoming: Incoming,
    paid_at: datetime,
    happening: Happening,
    cause: Cause,
) -> Subscription:
    """Begin a subscription (S1, S4) when the payer paid, but after all time that was sold before."""
    earlier = subscriptions.last_of(work.connection, user_id)
    begun = lifecycle.begun(
        id=work.number(),
        reference=derived_reference("sub", payment.reference),  # so a restored database gives it the same reference
        user_id=user_id,
        plan=plan,
        starts_at=paid_at if earlier is None else max(paid_at, earlier.sold_until),
        now=work.now,
    )
    supersede(work, user_id, (Purpose.NEW, Purpose.RENEWAL))
    return _sold(work, None, begun, plan, payment, incoming, happening, cause)


def extend(
    work: UnitOfWork, before: Subscription, *, plan: Plan, payment: Payment, incoming: Incoming, cause: Cause
) -> Subscription:
    """Add the next unpaid period (S2, S3). An upgrade that was quoted for the shorter time is superseded."""
    supersede(work, before.user_id, (Purpose.UPGRADE,))
    happening = _happening(before)
    return _sold(work, before, lifecycle.extended(before, plan), plan, payment, incoming, happening, cause)


def extend_by_credit(
    work: UnitOfWork, before: Subscription, *, plan: Plan, credit: Money, cause: Cause
) -> Subscription:
    """Add the next unpaid period without a QR (S2, S3): credit pays all, or leaves less than a QR can ask for."""
    supersede(work, before.user_id, (Purpose.RENEWAL, Purpose.UPGRADE))
    after = lifecycle.extended(before, plan)
    period = _period(work, before, after, plan, None, credit.minor)
    periods.add(work.connection, after.id, period, now=work.now)
    share = Share(period.number, credit.minor)
    moving.pay_with_credit(work, after, [share], [period], credit)
    record(work, before, after, _happening(before), cause)
    return boundaries.apply_due(work, before.id)


def switch(
    work: UnitOfWork,
    before: Subscription,
    *,
    plan: Plan,
    waived: int,
    payment: Payment | None,
    happening: Happening,
    cause: Cause,
) -> Subscription:
    """Change the plan at once (S6, S8, S10), for the present period and all paid periods after it.

    The caller has served the periods up to now and has moved the value.
    """
    paid = moving.unserved(work, before)
    plan_changes.add(
        work.connection,
        work.business.identifiers,
        subscription_id=before.id,
        subscription_version=before.version + 1,
        payment_id=None if payment is None else payment.id,
        before=[revalued(period, 0, work.now) for period in paid],
        waived=waived,
        now=work.now,
    )
    moving.revalue(work, [evolve(period, plan=plan) for period in paid])
    cause = evolve(cause, facts={**cause.facts, "previous_plan": before.plan.code})
    return record(work, before, lifecycle.switched(before, plan), happening, cause)


def supersede(work: UnitOfWork, user_id: str, purposes: Iterable[Purpose]) -> list[Payment]:
    """Cancel the user's open payments for these purposes, and return them. The watcher goes on looking at them.

    The credit that was set aside for them is returned to the user.
    """
    return issuing.cancel_open(work, user_id=user_id, purposes=purposes, reason="superseded", flag=Flag.SUPERSEDED)


def _sold(
    work: UnitOfWork,
    before: Subscription | None,
    after: Subscription,
    plan: Plan,
    payment: Payment,
    incoming: Incoming,
    happening: Happening,
    cause: Cause,
) -> Subscription:
    """Write the last paid period, move the paid value into it, and record the subscription."""
    price = payment.amount.minor + payment.credit_reserved
    period = _period(work, before, after, plan, payment, price)
    # This comes first, because events show the user's credit.
    moving.pay(work, payment, incoming, [Share(period.number, price)], [period])
    recorded = record(work, before, after, happening, cause)
    # An operator may have accepted less than the price.
    held = ledger.balance(work.connection, accounts.period(period.id), plan.price.currency)
    periods.add(work.connection, recorded.id, evolve(period, value=Fraction(held)), now=work.now)
    return boundaries.apply_due(work, recorded.id)


def _period(
    work: UnitOfWork, before: Subscription | None, after: Subscription, plan: Plan, payment: Payment | None, minor: int
) -> Period:
    """Return the last paid period of a subscription that was just begun (`before` is None) or extended."""
    starts_at = after.period_start if before is None else before.paid_through
    return Period(
        id=work.number(),
        number=after.last_paid_period,
        starts_at=starts_at,
        ends_at=after.paid_through,
        plan=plan,
        payment_id=None if payment is None else payment.id,
        value=Fraction(minor),
        valued_at=min(starts_at, work.now),  # a period that was paid late is served from its beginning on
    )


def _happening(before: Subscription) -> Happening:
    return Happening.RENEWAL_PAID_AHEAD if before.periods_ahead else Happening.RENEWAL_PAID
