"""Where payments meet subscriptions: what a payment for a plan is for, and what it does once its money is there.

Called by the operations on payments, inside their transactions. What users ask for themselves is in `plan_changes`,
`cancelling` and `renewing`; what the clock does, in `boundaries`; refunds, in `reversing`.
"""

from datetime import datetime

from sqlalchemy import Connection

from bakong_service.domain.errors import Conflict
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.plan import Plan
from bakong_service.domain.purchase import Effect, EffectKind, PlannedPurchase, Quote
from bakong_service.domain.subscription import MOST_PERIODS_AHEAD, Happening, Status, Subscription
from bakong_service.operations import boundaries, credit, selling
from bakong_service.operations.business import Business
from bakong_service.operations.credit import owner
from bakong_service.operations.subscription_recording import WATCHER, Cause, record
from bakong_service.storage import plans, subscriptions


def purpose_of(
    connection: Connection, business: Business, *, user_id: str, plan: Plan, now: datetime
) -> PlannedPurchase:
    """What a payment of this user for this plan is for, and what it costs.

    Holds the user until the transaction ends. Raises `Conflict` where another request is the right one:
    `upgrade_instead`, `downgrade_instead`, `resume_instead`, `downgrade_scheduled`, `plan_not_comparable`,
    `paid_ahead`, `credit_covers_it`.
    """
    subscriptions.lock_user(connection, user_id)
    live = _live(connection, business, user_id, now)
    if live is None:
        charge = credit.split(connection, business, user_id, plan.price, Purpose.NEW, by_qr=True)
        return PlannedPurchase(
            purpose=Purpose.NEW, subscription_id=None, price=charge.amount, credit_reserved=charge.credit.minor
        )
    _check_renews(live, plan)
    charge = credit.split(connection, business, user_id, plan.price, Purpose.RENEWAL)
    if not charge.amount.minor:
        path = f"POST /v1/subscriptions/{live.reference}/renew"
        raise Conflict("credit_covers_it", f"the credit of {user_id} pays for this renewal: {path}, without a QR")
    return PlannedPurchase(
        purpose=Purpose.RENEWAL, subscription_id=live.id, price=charge.amount, credit_reserved=charge.credit.minor
    )


def effect_still_valid(connection: Connection, payment: Payment, *, now: datetime) -> bool:
    """Whether what a payment was made for can still be had; if not, its money is looked at by a person.

    Holds the user until the transaction ends. An upgrade whose quote is outdated is valid: it becomes credit (S7).
    """
    subscriptions.lock_user(connection, owner(payment))
    if not credit.is_kept(connection, payment):
        return False
    live = subscriptions.live_of(connection, owner(payment))
    if live is not None and live.status is not Status.ACTIVE and live.entitled_until <= now:
        live = None  # over, only the clock hasn't come by yet
    if live is None:
        return payment.purpose is Purpose.NEW or (
            payment.purpose is Purpose.RENEWAL and _expired_unasked(connection, payment)
        )
    if live.id != payment.subscription_id:
        return False
    if payment.purpose is Purpose.RENEWAL:
        return _extends(live, payment)
    return live.status is not Status.CANCELLED


def apply_payment(
    connection: Connection, business: Business, payment: Payment, *, paid_at: datetime, now: datetime
) -> Effect:
    """Do what a payment was made for (S1 to S4, S6, S7), once: the key of its effect is the caller's.

    `paid_at` is when the payer sent. Money that can't do it any more becomes the user's credit: never lost, never
    guessed. The payment is `paid` already, so that what is superseded here isn't the payment itself.
    """
    subscriptions.lock_user(connection, owner(payment))
    live = _live(connection, business, owner(payment), now)
    if payment.purpose is Purpose.UPGRADE:
        return _upgrade(connection, business, live, payment, now)
    if live is not None and not _extends(live, payment):
        return _credit(connection, business, payment, now)
    cause = Cause(reason="paid", actor=WATCHER, now=now, facts={"payment": payment.reference})
    plan = _plan_of(connection, payment)
    if live is not None:
        ahead = live.periods_ahead
        selling.extend(connection, business, live, plan=plan, paid=payment, cause=cause)
        return Effect(EffectKind.EXTENDED if ahead else EffectKind.RENEWED, live.reference)
    renewal_seen_late = payment.purpose is Purpose.RENEWAL
    begun = selling.begin(
        connection,
        business,
        user_id=owner(payment),
        plan=plan,
        payment=payment,
        paid_at=paid_at,
        happening=Happening.RENEWAL_PAID_LATE if renewal_seen_late else Happening.NEW_PAID,
        cause=cause,
    )
    return Effect(EffectKind.ACTIVATED, begun.reference)


def check_room_ahead(live: Subscription) -> None:
    """That one more period may be paid for. Raises `Conflict`."""
    if live.periods_ahead >= MOST_PERIODS_AHEAD:
        raise Conflict(
            "paid_ahead", f"{live.reference} is paid for {MOST_PERIODS_AHEAD} periods beyond the present one already"
        )


def _live(connection: Connection, business: Business, user_id: str, now: datetime) -> Subscription | None:
    """The user's live subscription as it stands at `now`."""
    live = subscriptions.live_of(connection, user_id)
    if live is not None:
        live = boundaries.apply_due(connection, business, live.id, now=now)
    return None if live is None or live.status is Status.EXPIRED else live


def _check_renews(live: Subscription, plan: Plan) -> None:
    """That a payment for `plan` renews `live`. Raises `Conflict` with what to do instead."""
    path = f"/v1/subscriptions/{live.reference}"
    if live.status is Status.CANCELLED:
        raise Conflict("resume_instead", f"{live.reference} is cancelled and not over: POST {path}/resume first")
    if plan.code == live.renewal_plan.code:
        check_room_ahead(live)
        return
    if plan.code == live.plan.code:
        raise Conflict(
            "downgrade_scheduled",
            f"{live.reference} changes to {live.renewal_plan.code} at the period's end; "
            f"to stay with {plan.code}, POST {path}/downgrade with it",
        )
    check_comparable(live, plan)
    way = "upgrade" if plan.price.minor > live.plan.price.minor else "downgrade"
    raise Conflict(f"{way}_instead", f"{live.reference} is {live.plan.code}: POST {path}/{way} makes it {plan.code}")


def check_comparable(live: Subscription, plan: Plan) -> None:
    """That one plan's price can be set against the other's. Raises `Conflict`."""
    if (plan.price.currency, plan.period) != (live.plan.price.currency, live.plan.period):
        raise Conflict(
            "plan_not_comparable",
            f"{live.reference} is {live.plan.code}, sold in another currency or period than {plan.code}: "
            "it has to end before the other begins",
        )


def _extends(live: Subscription, payment: Payment) -> bool:
    """Whether a payment buys the subscription's next unpaid period (S2, S3)."""
    return (
        payment.purpose is not Purpose.UPGRADE
        and live.status in (Status.ACTIVE, Status.PAST_DUE)
        and live.renewal_plan.code == payment.plan
        and live.periods_ahead < MOST_PERIODS_AHEAD
    )


def _expired_unasked(connection: Connection, payment: Payment) -> bool:
    """Whether a renewal's subscription expired (S4), and wasn't ended by its user."""
    subscription = None if payment.subscription_id is None else subscriptions.by_id(connection, payment.subscription_id)
    return subscription is not None and subscription.cancelled_at is None


def _upgrade(
    connection: Connection, business: Business, live: Subscription | None, payment: Payment, now: datetime
) -> Effect:
    """S6, and S7 where the quote is outdated."""
    if live is None or live.id != payment.subscription_id or live.status is Status.CANCELLED:
        return _credit(connection, business, payment, now)
    quote = Quote(**(payment.quote or {}))
    cause = Cause(reason="paid", actor=WATCHER, now=now, facts={"payment": payment.reference, "quote": quote.as_json()})
    if quote.holds_for(live):
        plan = _plan_of(connection, payment)
        selling.switch(
            connection, business, live, plan=plan, happening=Happening.UPGRADE_PAID, cause=cause, payment=payment
        )
        return Effect(EffectKind.UPGRADED, live.reference)
    effect = _credit(connection, business, payment, now)
    record(connection, business, live, live, Happening.UPGRADE_OUTDATED, cause)
    return effect


def _credit(connection: Connection, business: Business, payment: Payment, now: datetime) -> Effect:
    """All that was paid, and what was set aside for it, is the user's to spend."""
    credit.give_back(connection, business, payment, now=now)
    credit.grant(
        connection,
        business,
        user_id=owner(payment),
        amount=payment.amount,
        reason=credit.PAYMENT_CREDITED,
        source=payment.reference,
        now=now,
    )
    return Effect(EffectKind.CREDITED, None)


def _plan_of(connection: Connection, payment: Payment) -> Plan:
    """The version of the plan that the payer was shown."""
    assert payment.plan is not None
    assert payment.plan_version is not None
    plan = plans.of_version(connection, payment.plan, payment.plan_version)
    assert plan is not None
    return plan
