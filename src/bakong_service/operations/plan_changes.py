"""Another plan: dearer at once and paid for by the second, cheaper at the period's end or now with credit."""

from datetime import datetime, timedelta
from fractions import Fraction

from attrs import evolve, frozen
from sqlalchemy import Connection

from bakong_service.domain import proration
from bakong_service.domain.errors import Conflict, Fault, Invalid
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.plan import Plan
from bakong_service.domain.proration import Charge
from bakong_service.domain.purchase import Quote
from bakong_service.domain.subscription import Happening, Subscription, transition
from bakong_service.operations import boundaries, credit, issuing, selling
from bakong_service.operations.business import Business
from bakong_service.operations.presenting import moment
from bakong_service.operations.renewing import reissue
from bakong_service.operations.subscription_recording import Cause, record
from bakong_service.operations.subscriptions import check_comparable
from bakong_service.storage import adjustments, periods, plans

DOWNGRADE = "downgrade"


@frozen(kw_only=True)
class Upgrade:
    """An upgrade's price, the subscription as it stands, and the payment to be paid; None where nothing is."""

    quote: Quote
    subscription: Subscription
    payment: Payment | None


@frozen(kw_only=True)
class _Quoted:
    subscription: Subscription
    plan: Plan
    charge: Charge
    waived: Fraction  # what neither a QR nor credit pays, in minor units
    quote: Quote


def preview_upgrade(
    connection: Connection, business: Business, reference: str, plan_code: str, *, now: datetime
) -> Quote:
    """What an upgrade would cost now; nothing is stored but what the clock does anyway. Raises as `upgrade` does."""
    return _quoted(connection, business, reference, plan_code, now).quote


def upgrade(
    connection: Connection, business: Business, reference: str, plan_code: str, *, actor: str, now: datetime
) -> Upgrade:
    """Quote an upgrade and make its payment (S5); where nothing is left to charge, do it at once, without a QR (S8).

    Raises `NotFound`; `Invalid` for an unknown plan; `Conflict` for the wrong time, the same plan (`same_plan`), a
    cheaper one (`downgrade_instead`) or one that can't be compared (`plan_not_comparable`).
    """
    found = _quoted(connection, business, reference, plan_code, now)
    subscription, quote = found.subscription, found.quote.as_json()
    if found.charge.amount.minor:
        payment = issuing.issue(
            connection,
            business,
            user_id=subscription.user_id,
            purpose=Purpose.UPGRADE,
            plan=found.plan,
            amount=found.charge.amount,
            subscription_id=subscription.id,
            quote=quote,
            credit_reserved=found.charge.credit.minor,
            actor=actor,
            now=now,
        )
        return Upgrade(quote=found.quote, subscription=subscription, payment=payment)
    reckoned = {**quote, "waived": str(_waived(connection, subscription) + found.waived)}
    adjustments.add(connection, business.identifiers, subscription.id, "upgrade", reckoned, now=now)
    cause = Cause(reason="nothing_to_charge", actor=actor, now=now, facts={"quote": quote})
    # First, for what an open renewal set aside is in the credit that is spent here.
    selling.supersede(connection, business, subscription.user_id, (Purpose.RENEWAL, Purpose.UPGRADE), cause)
    source = f"{subscription.reference}#{subscription.version + 1}"
    credit.spend(connection, business, subscription.user_id, found.charge.credit, source=source, now=now)
    after = selling.switch(
        connection, business, subscription, plan=found.plan, happening=Happening.UPGRADE_FREE, cause=cause
    )
    return Upgrade(quote=found.quote, subscription=after, payment=None)


def downgrade(
    connection: Connection,
    business: Business,
    reference: str,
    plan_code: str,
    *,
    at_once: bool,
    actor: str,
    now: datetime,
) -> Subscription:
    """A plan that isn't dearer, from the next unpaid period on (S9), or at once, with credit for what is paid too much
    (S10).

    At the period's end, the plan that is in force takes a scheduled change back. Raises as `upgrade` does, with
    `upgrade_instead`.
    """
    subscription = boundaries.hold(connection, business, reference, now=now)
    happening = Happening.DOWNGRADE_NOW if at_once else Happening.DOWNGRADE_SCHEDULED
    transition(subscription, happening)
    plan = _plan(connection, plan_code)
    check_comparable(subscription, plan)
    withdrawn = not at_once and plan.code == subscription.plan.code and subscription.scheduled_plan is not None
    if withdrawn and subscription.periods_ahead:
        raise _already_paid(subscription)
    if not withdrawn:
        _check_direction(subscription, plan, cheaper=True)
    if at_once:
        return _downgrade_now(connection, business, subscription, plan, actor, now)
    reason = "downgrade_withdrawn" if withdrawn else "downgrade_scheduled"
    cause = Cause(reason=reason, actor=actor, now=now)
    after = evolve(subscription, scheduled_plan=None if withdrawn else plan)
    if selling.supersede(connection, business, subscription.user_id, (Purpose.RENEWAL,), cause):
        reissue(connection, business, after, cause)
    return record(connection, business, subscription, after, happening, cause)


def _downgrade_now(
    connection: Connection, business: Business, subscription: Subscription, plan: Plan, actor: str, now: datetime
) -> Subscription:
    paid = periods.from_number(connection, subscription.id, subscription.period_number)
    if any(period.plan.code != subscription.plan.code for period in paid):
        raise _already_paid(subscription)
    ahead, waived = proration.ahead(paid, now), _waived(connection, subscription)
    earned = proration.downgrade_credit(ahead, plan, waived=waived)
    facts = {
        "earned": str(earned),
        "currency": earned.currency,
        "from_plan": subscription.plan.code,
        "to_plan": plan.code,
    }
    reckoned = {
        **facts,
        "subscription_version": subscription.version,
        "last_paid_period": subscription.last_paid_period,
        "waived": str(proration.waived_after_downgrade(ahead, plan, waived=waived)),
        "period_number": subscription.period_number,
    }
    adjustments.add(connection, business.identifiers, subscription.id, "downgrade", reckoned, now=now)
    cause = Cause(reason="downgraded", actor=actor, now=now, facts=facts)
    if earned.minor:
        credit.grant(
            connection,
            business,
            user_id=subscription.user_id,
            amount=earned,
            reason=DOWNGRADE,
            source=f"{subscription.reference}#{subscription.version + 1}",
            now=now,
        )
    return selling.switch(connection, business, subscription, plan=plan, happening=Happening.DOWNGRADE_NOW, cause=cause)


def _quoted(connection: Connection, business: Business, reference: str, plan_code: str, now: datetime) -> _Quoted:
    subscription = boundaries.hold(connection, business, reference, now=now)
    transition(subscription, Happening.UPGRADE_QUOTED)
    plan = _plan(connection, plan_code)
    check_comparable(subscription, plan)
    _check_direction(subscription, plan, cheaper=False)
    paid = periods.from_number(connection, subscription.id, subscription.period_number)
    ahead = proration.ahead(paid, now)
    price = proration.upgrade_charge(ahead, plan)
    charge = credit.split(connection, business, subscription.user_id, price, Purpose.UPGRADE)
    if not charge.amount.minor:
        # Done at once, it supersedes the open renewal: what that one set aside pays before anything is waived.
        charge = credit.split(connection, business, subscription.user_id, price, Purpose.UPGRADE, Purpose.RENEWAL)
    quote = Quote(
        from_plan=subscription.plan.code,
        from_version=subscription.plan.version,
        to_plan=plan.code,
        to_version=plan.version,
        remaining_seconds=max(subscription.paid_through - now, timedelta(0)) // timedelta(seconds=1),
        proration=str(price),
        credit=str(charge.credit),
        amount=str(charge.amount),
        currency=price.currency,
        subscription_version=subscription.version,
        period_number=subscription.period_number,
        last_paid_period=subscription.last_paid_period,
        quoted_at=moment(now) or "",
    )
    waived = proration.waived_by_upgrade(ahead, plan, paid=charge.credit)
    return _Quoted(subscription=subscription, plan=plan, charge=charge, waived=waived, quote=quote)


def _waived(connection: Connection, subscription: Subscription) -> Fraction:
    """What free upgrades left unpaid of the time that is still ahead, in minor units. No downgrade may earn it.

    Each change writes the sum that stands after it. By version: ids made in one millisecond have no order.
    """
    changes = [reckoned for _, reckoned in adjustments.of_subscription(connection, subscription.id)]
    last = max(changes, key=lambda reckoned: int(reckoned.get("subscription_version", 0)), default={})
    is_over = int(last.get("last_paid_period", 0)) < subscription.period_number
    return Fraction(0 if is_over else last.get("waived", 0))


def _already_paid(subscription: Subscription) -> Conflict:
    return Conflict("already_paid", f"the next period of {subscription.reference} is paid for as another plan already")


def _plan(connection: Connection, code: str) -> Plan:
    plan = plans.latest(connection, code)
    if plan is None:
        known = ", ".join(plan.code for plan in plans.every_latest(connection))
        rule = f"there is no plan {code!r}; there are {known}"
        raise Invalid("unknown_plan", rule, (Fault("/plan", "unknown_plan", rule),))
    return plan


def _check_direction(subscription: Subscription, plan: Plan, *, cheaper: bool) -> None:
    current = subscription.plan
    if plan.code == current.code:
        raise Conflict("same_plan", f"{subscription.reference} is {current.code} already")
    if (plan.price.minor <= current.price.minor) is not cheaper:
        way, relation = ("upgrade", "dearer") if cheaper else ("downgrade", "no dearer")
        path = f"POST /v1/subscriptions/{subscription.reference}/{way}"
        raise Conflict(f"{way}_instead", f"{plan.code} is {relation} than {current.code}: {path}")
