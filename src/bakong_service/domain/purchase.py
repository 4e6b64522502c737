"""What a user is about to buy, at which price, and what the money did when it had come."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import frozen

from bakong_service.domain.ledger import Account
from bakong_service.domain.moment import moment
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Purpose
from bakong_service.domain.subscription import Subscription


@frozen(kw_only=True)
class PlannedPurchase:
    """The purchase that a payment is for.

    Its QR asks for `price`: the plan's price, less the credit that is set aside.
    """

    purpose: Purpose
    subscription_id: int | None  # None: a new subscription
    price: Money
    credit_reserved: int  # minor units


def still_holds(quote: Mapping[str, Any], subscription: Subscription) -> bool:
    """Return whether plan and paid periods are still those of a stored quote, so that its price is still right."""
    now = {
        "from_plan": subscription.plan.code,
        "from_version": subscription.plan.version,
        "period_number": subscription.period_number,
        "last_paid_period": subscription.last_paid_period,
        "paid_through": moment(subscription.paid_through),
    }
    return all(quote[name] == value for name, value in now.items())


@frozen(kw_only=True)
class Incoming:
    """Money that came for a payment: its receipt, how much it is, and the account where it is now."""

    receipt_id: int
    money: Money
    account: Account


class EffectKind(StrEnum):
    """What a paid payment for a plan did. The numbers are those of the table of subscriptions."""

    ACTIVATED = "activated"  # S1, S4
    RENEWED = "renewed"  # S2
    EXTENDED = "extended"  # S3
    UPGRADED = "upgraded"  # S6
    CREDITED = "credited"  # S7, and any payment that bought nothing


@frozen
class Effect:
    """What a payment did, and the reference of its subscription; None if the payment became credit only."""

    kind: EffectKind
    target: str | None
