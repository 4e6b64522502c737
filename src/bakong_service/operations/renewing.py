"""Renewals. KHQR can't pull money: a renewal is a new QR that the user chooses to pay, or credit that pays it all."""

from datetime import datetime

from attrs import frozen
from sqlalchemy import Connection

from bakong_service.domain.lifecycle import REMINDERS
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Happening, Status, Subscription, transition
from bakong_service.operations import boundaries, credit, issuing, selling
from bakong_service.operations.business import Business
from bakong_service.operations.subscription_recording import CLOCK, Cause
from bakong_service.operations.subscriptions import check_room_ahead
from bakong_service.storage import plans, subscription_payments, subscriptions


@frozen(kw_only=True)
class Renewed:
    """The subscription as it stands, and the payment that renews it; None where credit did."""

    subscription: Subscription
    payment: Payment | None


def renew(connection: Connection, business: Business, reference: str, *, actor: str, now: datetime) -> Renewed:
    """A QR for the next period that isn't paid, at the newest price of its plan.

    An open renewal at that price with half its life left is shown again: every payment costs calls to Bakong. Where
    the user's credit pays for all but less than a QR can ask for, the period is theirs at once. Raises `NotFound`, and
    `Conflict` where it is cancelled (`resume_instead`), over (`subscription_over`) or paid far ahead (`paid_ahead`).
    """
    subscription = boundaries.hold(connection, business, reference, now=now)
    transition(subscription, Happening.RENEWAL_REQUESTED)
    check_room_ahead(subscription)
    plan = _newest(connection, subscription)
    charge = credit.split(connection, business, subscription.user_id, plan.price, Purpose.RENEWAL)
    if charge.amount.minor:
        payment = _shown(connection, business, subscription, plan, now) or _issue(
            connection, business, subscription, plan, actor, now
        )
        return Renewed(subscription=subscription, payment=payment)
    cause = Cause(reason="paid_from_credit", actor=actor, now=now, facts={"credit_spent": str(charge.credit)})
    selling.supersede(connection, business, subscription.user_id, (Purpose.RENEWAL,), cause)
    source = f"{subscription.reference}#{subscription.version + 1}"
    credit.spend(connection, business, subscription.user_id, charge.credit, source=source, now=now)
    extended = selling.extend(connection, business, subscription, plan=plan, paid=charge.credit, cause=cause)
    return Renewed(subscription=extended, payment=None)


def reissue(connection: Connection, business: Business, subscription: Subscription, cause: Cause) -> None:
    """A renewal QR in place of one that was superseded, at the price of what is sold next. None where credit pays."""
    plan = _newest(connection, subscription)
    if credit.split(connection, business, subscription.user_id, plan.price, Purpose.RENEWAL).amount.minor:
        _issue(connection, business, subscription, plan, cause.actor, cause.now)


def is_to_be_prepared(connection: Connection, subscription: Subscription, now: datetime) -> bool:
    """Whether the renewal's time has come (7 days before the boundary) and no QR was ever made for it."""
    if subscription.status not in (Status.ACTIVE, Status.PAST_DUE) or subscription.periods_ahead:
        return False
    opens_at = max(subscription.period_end - REMINDERS[0], subscription.period_start)
    return now >= opens_at and not subscription_payments.renewal_made_since(connection, subscription, opens_at)


def look_at(connection: Connection, business: Business, subscription_id: int, *, now: datetime) -> Subscription:
    """What somebody who looks at a subscription is shown (S15): boundaries applied, and once a period, when its time
    has come, the renewal QR made. Credit is never spent by looking."""
    found = subscriptions.by_id(connection, subscription_id)
    assert found is not None
    subscriptions.lock_user(connection, found.user_id)
    subscription = boundaries.apply_due(connection, business, subscription_id, now=now)
    if is_to_be_prepared(connection, subscription, now):
        reissue(connection, business, subscription, Cause(reason="renewal_due", actor=CLOCK, now=now))
    return subscription


def _newest(connection: Connection, subscription: Subscription) -> Plan:
    return plans.latest(connection, subscription.renewal_plan.code) or subscription.renewal_plan


def _shown(
    connection: Connection, business: Business, subscription: Subscription, plan: Plan, now: datetime
) -> Payment | None:
    """The open renewal, where it still asks for the right price and can be paid for a while."""
    payment = subscription_payments.open_of(connection, subscription.user_id, Purpose.RENEWAL)
    if (
        payment is not None
        and (payment.plan, payment.plan_version) == (plan.code, plan.version)
        and payment.qr_expires_at - now >= business.payments.qr_life / 2
    ):
        return payment
    return None


def _issue(
    connection: Connection, business: Business, subscription: Subscription, plan: Plan, actor: str, now: datetime
) -> Payment:
    charge = credit.split(connection, business, subscription.user_id, plan.price, Purpose.RENEWAL)
    return issuing.issue(
        connection,
        business,
        user_id=subscription.user_id,
        purpose=Purpose.RENEWAL,
        plan=plan,
        amount=charge.amount,
        subscription_id=subscription.id,
        credit_reserved=charge.credit.minor,
        actor=actor,
        now=now,
    )
