"""Decides the purpose of a payment for a plan, and carries out its effect when its money has come.

The operations on payments call this inside their transactions. The requests of users are in `plan_changes`,
`cancelling` and `renewing`, the work of the clock is in `boundaries`, and refunds are in `reversing`.

S1 to S7 are rows of the table of transitions in `domain/subscription.py`.
"""

from datetime import datetime

from bakong_service.domain.errors import Conflict
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.plan import Plan
from bakong_service.domain.purchase import Effect, EffectKind, Incoming, PlannedPurchase, still_holds
from bakong_service.domain.subscription import MOST_PERIODS_AHEAD, Happening, Status, Subscription
from bakong_service.domain.value import shares
from bakong_service.operations.ledger import credit, moving
from bakong_service.operations.ledger.credit import owner
from bakong_service.operations.subscriptions import boundaries, selling
from bakong_service.operations.subscriptions.recording import Cause, record
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.subscriptions import plans, subscriptions

_SUPERSEDES = {
    Purpose.NEW: (Purpose.NEW, Purpose.RENEWAL),
    Purpose.RENEWAL: (Purpose.UPGRADE,),
    Purpose.UPGRADE: (Purpose.RENEWAL, Purpose.UPGRADE),
}
"""For each purpose of a payment: the purposes of the user's open payments that are superseded when it is applied.

The credit that was set aside for them is then the user's again.
"""


def purpose_of(work: UnitOfWork, *, user_id: str, plan: Plan) -> PlannedPurchase:
    """Return the purpose of a payment of this user for this plan, and its price.

    The user is locked until the transaction ends. Raises `Conflict`, which names the right request, if a payment is the
    wrong way to get the plan.
    """
    subscriptions.lock_user(work.connection, user_id)
    live = _live(work, user_id)
    if live is None:
        # Only a payment begins a subscription, so credit never pays the whole price (`by_qr`).
        charge = credit.split(work, user_id, plan.price, Purpose.NEW, by_qr=True)
        return PlannedPurchase(
            purpose=Purpose.NEW, subscription_id=None, price=charge.amount, credit_reserved=charge.credit.minor
        )
    _check_renews(live, plan)
    charge = credit.split(work, user_id, plan.price, Purpose.RENEWAL)
    if not charge.amount.minor:
        path = f"POST /v1/subscriptions/{live.reference}/renew"
        raise Conflict("credit_covers_it", f"the credit of {user_id} pays for this renewal without a QR: {path}")
    return PlannedPurchase(
        purpose=Purpose.RENEWAL, subscription_id=live.id, price=charge.amount, credit_reserved=charge.credit.minor
    )


def effect_still_valid(work: UnitOfWork, payment: Payment) -> bool:
    """Return whether the effect of a payment is still possible. If it isn't, an operator decides about the money.

    The caller has locked the user. An upgrade whose quote is outdated is valid: it becomes credit (S7).
    """
    if not credit.is_kept(work, payment, *_SUPERSEDES[payment.purpose]):
        return False
    # `_live` isn't called here, because it writes: it records the boundaries that are due.
    live = subscriptions.live_of(work.connection, owner(payment))
    if live is not None and live.status is not Status.ACTIVE and live.entitled_until <= work.now:
        live = None  # it has ended, but the worker hasn't recorded that yet
    if live is None:
        return payment.purpose is Purpose.NEW or (
            payment.purpose is Purpose.RENEWAL and _expired_uncancelled(work, payment)
        )
    if live.id != payment.subscription_id:
        return False
    if payment.purpose is Purpose.RENEWAL:
        return _extends(live, payment)
    return live.status is not Status.CANCELLED


def apply_payment(work: UnitOfWork, payment: Payment, incoming: Incoming, *, paid_at: datetime) -> Effect:
    """Carry out the effect of a payment (S1 to S4, S6, S7). The caller makes sure that this happens only once.

    The caller has locked the user. `paid_at` is the time when the payer sent the money. If the effect isn't possible
    any more, the money becomes the user's credit. The payment is `paid` already, so nothing here supersedes it.
    """
    live = _live(work, owner(payment))
    if payment.purpose is Purpose.UPGRADE:
        return _upgrade(work, live, payment, incoming)
    if live is not None and not _extends(live, payment):
        return _credit(work, payment, incoming)
    cause = Cause("paid", {"payment": payment.reference})
    plan = _plan_of(work, payment)
    if live is not None:
        next_is_paid = live.periods_ahead > 0  # then the payment buys the period after the next one (S3)
        selling.extend(work, live, plan=plan, payment=payment, incoming=incoming, cause=cause)
        return Effect(EffectKind.EXTENDED if next_is_paid else EffectKind.RENEWED, live.reference)
    renewal_seen_late = payment.purpose is Purpose.RENEWAL
    begun = selling.begin(
        work,
        user_id=owner(payment),
        plan=plan,
        payment=payment,
        incoming=incoming,
        paid_at=paid_at,
        happening=Happening.RENEWAL_PAID_LATE if renewal_seen_late else Happening.NEW_PAID,
        cause=cause,
    )
    return Effect(EffectKind.ACTIVATED, begun.reference)


def check_room_ahead(live: Subscription) -> None:
    """Raise `Conflict` if no more periods may be paid ahead."""
    if live.periods_ahead >= MOST_PERIODS_AHEAD:
        raise Conflict(
            "paid_ahead", f"{MOST_PERIODS_AHEAD} periods of {live.reference} after the present one are paid already"
        )


def _live(work: UnitOfWork, user_id: str) -> Subscription | None:
    """Return the user's live subscription at `now`."""
    live = subscriptions.live_of(work.connection, user_id)
    if live is not None:
        live = boundaries.apply_due(work, live.id)
    return None if live is None or live.status is Status.EXPIRED else live


def _check_renews(live: Subscription, plan: Plan) -> None:
    """Raise `Conflict` with the right request if a payment for `plan` doesn't renew `live`."""
    path = f"/v1/subscriptions/{live.reference}"
    if live.status is Status.CANCELLED:
        raise Conflict("resume_instead", f"{live.reference} is cancelled but hasn't ended: POST {path}/resume first")
    if plan.code == live.renewal_plan.code:
        check_room_ahead(live)
        return
    if plan.code == live.plan.code:
        raise Conflict(
            "downgrade_scheduled",
            f"{live.reference} changes to {live.renewal_plan.code} at the period's end; "
            f"to keep {plan.code}, POST {path}/downgrade with the plan {plan.code}",
        )
    check_comparable(live, plan)
    way = "upgrade" if plan.price.minor > live.plan.price.minor else "downgrade"
    detail = f"{live.reference} has the plan {live.plan.code}: POST {path}/{way} changes it to {plan.code}"
    raise Conflict(f"{way}_instead", detail)


def check_comparable(live: Subscription, plan: Plan) -> None:
    """Raise `Conflict` if the plans can't be compared, because their currencies or periods differ."""
    if (plan.price.currency, plan.cadence) != (live.plan.price.currency, live.plan.cadence):
        raise Conflict(
            "plan_not_comparable",
            f"the plan of {live.reference}, {live.plan.code}, has another currency or period than {plan.code}: "
            "the subscription has to end before the new plan begins",
        )


def _extends(live: Subscription, payment: Payment) -> bool:
    """Return whether a payment for a period buys the subscription's next unpaid one (S2, S3)."""
    return (
        live.status in (Status.ACTIVE, Status.PAST_DUE)
        and live.renewal_plan.code == payment.plan
        and live.periods_ahead < MOST_PERIODS_AHEAD
    )


def _expired_uncancelled(work: UnitOfWork, payment: Payment) -> bool:
    """Return whether the subscription of a renewal expired (S4) and wasn't cancelled."""
    subscription = (
        None if payment.subscription_id is None else subscriptions.by_id(work.connection, payment.subscription_id)
    )
    return subscription is not None and subscription.cancelled_at is None


def _upgrade(work: UnitOfWork, live: Subscription | None, payment: Payment, incoming: Incoming) -> Effect:
    """Upgrade the subscription (S6), or give credit if the quote is outdated (S7)."""
    if live is None or live.id != payment.subscription_id or live.status is Status.CANCELLED:
        return _credit(work, payment, incoming)
    quote = payment.quote
    assert quote is not None
    cause = Cause("paid", {"payment": payment.reference, "quote": quote})
    if not still_holds(quote, live):
        effect = _credit(work, payment, incoming)
        record(work, live, live, Happening.UPGRADE_OUTDATED, cause)  # its plan and its periods stay as they are
        return effect
    selling.supersede(work, live.user_id, _SUPERSEDES[Purpose.UPGRADE])
    # The value that is used up leaves the periods first. What they still hold counts towards the price of the new plan.
    moving.serve(work, live)
    paid = moving.unserved(work, live)
    plan = _plan_of(work, payment)
    moving.pay(work, payment, incoming, shares(paid, plan, work.now), paid)
    selling.switch(work, live, plan=plan, waived=0, payment=payment, happening=Happening.UPGRADE_PAID, cause=cause)
    return Effect(EffectKind.UPGRADED, live.reference)


def _credit(work: UnitOfWork, payment: Payment, incoming: Incoming) -> Effect:
    """Turn the money of a payment, and the credit that was set aside for it, into the user's credit."""
    credit.give_back(work, payment)
    moving.take_as_credit(work, payment, incoming)
    return Effect(EffectKind.CREDITED, None)


def _plan_of(work: UnitOfWork, payment: Payment) -> Plan:
    """Return the plan version that the payment was made for."""
    assert payment.plan is not None
    assert payment.plan_version is not None
    plan = plans.of_version(work.connection, payment.plan, payment.plan_version)
    assert plan is not None
    return plan
