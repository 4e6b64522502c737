"""Renewals. KHQR can't pull money, so the user pays a new QR for a renewal, or the user's credit pays for it."""

from datetime import datetime

from attrs import evolve, frozen
from sqlalchemy import Connection

from bakong_service.domain.lifecycle import REMINDERS
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Happening, Status, Subscription, transition
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments import issuing
from bakong_service.operations.subscriptions import boundaries, selling
from bakong_service.operations.subscriptions.purchases import check_room_ahead
from bakong_service.operations.subscriptions.recording import Cause
from bakong_service.operations.unit_of_work import CLOCK, UnitOfWork
from bakong_service.storage.subscriptions import plans, subscription_payments, subscriptions


@frozen(kw_only=True)
class Renewed:
    """The subscription, and the payment that renews it; None if credit paid for the renewal."""

    subscription: Subscription
    payment: Payment | None


def renew(work: UnitOfWork, reference: str) -> Renewed:
    """Make a payment for the next unpaid period, at the newest price of its plan.

    Every payment costs calls to Bakong, so an open renewal at that price with half of its life left is returned again.
    If credit pays for the whole price, or for so much that a QR can't ask for the rest, the period is paid at once.
    Raises `NotFound`, and `Conflict` if the subscription is cancelled, has ended, or is paid far ahead.
    """
    subscription = boundaries.hold(work, reference)
    transition(subscription, Happening.RENEWAL_REQUESTED)
    check_room_ahead(subscription)
    plan = _newest(work, subscription)
    charge = credit.split(work, subscription.user_id, plan.price, Purpose.RENEWAL)
    if charge.amount.minor:
        payment = _shown(work, subscription, plan) or _issue(work, subscription, plan)
        return Renewed(subscription=subscription, payment=payment)
    cause = Cause("paid_from_credit", {"credit_spent": str(charge.credit)})
    extended = selling.extend_by_credit(work, subscription, plan=plan, credit=charge.credit, cause=cause)
    return Renewed(subscription=extended, payment=None)


def reissue(work: UnitOfWork, subscription: Subscription) -> None:
    """Make the payment for a renewal again after it was superseded, unless credit pays for all of it."""
    plan = _newest(work, subscription)
    if credit.split(work, subscription.user_id, plan.price, Purpose.RENEWAL).amount.minor:
        _issue(work, subscription, plan)


def is_to_be_prepared(connection: Connection, subscription: Subscription, now: datetime) -> bool:
    """Return whether it is time for the renewal (7 days before the boundary) and no QR was made for it."""
    if subscription.status not in (Status.ACTIVE, Status.PAST_DUE) or subscription.periods_ahead:
        return False
    opens_at = max(subscription.period_end - REMINDERS[0], subscription.period_start)
    return now >= opens_at and not subscription_payments.renewal_made_since(connection, subscription, opens_at)


def look_at(work: UnitOfWork, subscription_id: int) -> Subscription:
    """Prepare a subscription that somebody reads (S15): apply boundaries, and make its renewal QR once a period.

    Reading a subscription never spends credit.
    """
    found = subscriptions.by_id(work.connection, subscription_id)
    assert found is not None
    subscriptions.lock_user(work.connection, found.user_id)
    subscription = boundaries.apply_due(work, subscription_id)
    if is_to_be_prepared(work.connection, subscription, work.now):
        reissue(evolve(work, actor=CLOCK), subscription)
    return subscription


def _newest(work: UnitOfWork, subscription: Subscription) -> Plan:
    return plans.latest(work.connection, subscription.renewal_plan.code) or subscription.renewal_plan


def _shown(work: UnitOfWork, subscription: Subscription, plan: Plan) -> Payment | None:
    """Return the open renewal if its price is still right and enough of its life is left."""
    payment = subscription_payments.open_of(work.connection, subscription.user_id, Purpose.RENEWAL)
    if (
        payment is not None
        and (payment.plan, payment.plan_version) == (plan.code, plan.version)
        and payment.qr_expires_at - work.now >= work.business.payments.qr_life / 2
    ):
        return payment
    return None


def _issue(work: UnitOfWork, subscription: Subscription, plan: Plan) -> Payment:
    charge = credit.split(work, subscription.user_id, plan.price, Purpose.RENEWAL)
    return issuing.issue(
        work,
        user_id=subscription.user_id,
        purpose=Purpose.RENEWAL,
        plan=plan,
        amount=charge.amount,
        subscription_id=subscription.id,
        credit_reserved=charge.credit.minor,
    )
