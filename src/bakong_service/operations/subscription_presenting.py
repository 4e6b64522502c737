"""A subscription as the outside is shown it, in events and answers alike."""

from typing import Any

from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Subscription
from bakong_service.operations.presenting import moment


def subscription(subscription: Subscription, *, open_payment: Payment | None, credit: Money) -> dict[str, Any]:
    """The public shape of a subscription. `entitled_until` comes first: it answers whether to serve the user.

    `credit` is what the user may spend in the plan's currency; amounts are text in major units.
    """
    scheduled = subscription.scheduled_plan
    return {
        "object": "subscription",
        "entitled_until": moment(subscription.entitled_until),
        "reference": subscription.reference,
        "user_id": subscription.user_id,
        "status": subscription.status.value,
        "plan": subscription.plan.code,
        "scheduled_plan": None if scheduled is None else scheduled.code,
        "current_period": {
            "number": subscription.period_number,
            "starts_at": moment(subscription.period_start),
            "ends_at": moment(subscription.period_end),
        },
        "paid_until": moment(subscription.sold_until),
        "cancelled_at": moment(subscription.cancelled_at),
        "cancel_reason": subscription.cancel_reason,
        "created_at": moment(subscription.created_at),
        "flags": sorted(subscription.flags),
        "open_payment": None if open_payment is None else _open(open_payment),
        "credit": money(credit),
        "version": subscription.version,
    }


def money(money: Money) -> dict[str, str]:
    """An amount and its currency: `{"amount": "0.50", "currency": "USD"}`."""
    return {"amount": str(money), "currency": money.currency}


def plan(plan: Plan) -> dict[str, Any]:
    """The public shape of a plan's version."""
    return {
        "object": "plan",
        "code": plan.code,
        "version": plan.version,
        "name": plan.name,
        "amount": str(plan.price),
        "currency": plan.price.currency,
        "period_seconds": int(plan.period.total_seconds()),
        "created_at": moment(plan.created_at),
    }


def _open(payment: Payment) -> dict[str, Any]:
    return {
        "reference": payment.reference,
        "purpose": payment.purpose.value,
        "status": payment.status.value,
        "amount": str(payment.amount),
        "currency": payment.amount.currency,
        "qr_expires_at": moment(payment.qr_expires_at),
        "deadline_at": moment(payment.deadline_at),
    }
