"""What a user is about to buy, at which price, and what the money did when it came."""

from enum import StrEnum
from typing import Any

from attrs import asdict, frozen

from bakong_service.domain.money import Money
from bakong_service.domain.payment import Purpose
from bakong_service.domain.subscription import Subscription


@frozen(kw_only=True)
class PlannedPurchase:
    """What a payment for a plan is for. Its QR asks for `price`: the plan's, less the credit that is set aside."""

    purpose: Purpose
    subscription_id: int | None  # None: a new subscription
    price: Money
    credit_reserved: int  # minor units


@frozen(kw_only=True)
class Quote:
    """What an upgrade costs, for the subscription as it was then. Never changed; plain values, kept as JSON."""

    from_plan: str
    from_version: int
    to_plan: str
    to_version: int
    remaining_seconds: int  # of paid time, from the quote on
    proration: str  # the difference in price for that time, "0.25"
    credit: str  # what the user's credit pays of it
    amount: str  # what the QR asks for; "0.00" where the upgrade needs none
    currency: str
    subscription_version: int
    period_number: int
    last_paid_period: int
    quoted_at: str

    def as_json(self) -> dict[str, Any]:
        """The quote's members; `Quote(**members)` reads them back."""
        return asdict(self)

    def holds_for(self, subscription: Subscription) -> bool:
        """Whether plan and paid periods are still the quoted ones: then its price is the right one."""
        return (self.from_plan, self.from_version, self.period_number, self.last_paid_period) == (
            subscription.plan.code,
            subscription.plan.version,
            subscription.period_number,
            subscription.last_paid_period,
        )


class EffectKind(StrEnum):
    """What a paid payment for a plan did."""

    ACTIVATED = "activated"  # S1, S4
    RENEWED = "renewed"  # S2
    EXTENDED = "extended"  # S3
    UPGRADED = "upgraded"  # S6
    CREDITED = "credited"  # S7, and whatever bought nothing


@frozen
class Effect:
    """What a payment did, and to which subscription (its reference); None where it became credit alone."""

    kind: EffectKind
    target: str | None
