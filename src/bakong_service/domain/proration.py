"""What a change of plan costs or gives back: whole seconds and whole minor units, rounded once, never a float.

charge = round half up( sum over paid periods of (new price - old price) * remaining seconds / period seconds )
credit = floor        ( sum over paid periods of (old price - new price) * remaining seconds / period seconds )
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from attrs import frozen

from bakong_service.domain.money import Money
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Period

_MICROSECOND = timedelta(microseconds=1)


@frozen
class Stretch:
    """Paid time that is still ahead, at one price per period."""

    price_minor: int
    remaining_microseconds: int


def ahead(periods: Iterable[Period], now: datetime) -> tuple[Stretch, ...]:
    """The paid time from `now` on. Each period counts by the price of the plan in force in it."""
    return tuple(
        Stretch(period.plan.price.minor, (period.ends_at - max(period.starts_at, now)) // _MICROSECOND)
        for period in periods
        if period.ends_at > now
    )


def upgrade_charge(stretches: Iterable[Stretch], plan: Plan) -> Money:
    """What the rest of the paid time costs more under `plan`, rounded half up to the minor unit; never below zero."""
    numerator, denominator = _difference(stretches, plan)
    return Money(max(0, (2 * numerator + denominator) // (2 * denominator)), plan.price.currency)


def downgrade_credit(stretches: Iterable[Stretch], plan: Plan) -> Money:
    """What the rest of the paid time costs less under `plan`, rounded down to the minor unit; never below zero."""
    numerator, denominator = _difference(stretches, plan)
    return Money(max(0, -numerator // denominator), plan.price.currency)


def _difference(stretches: Iterable[Stretch], plan: Plan) -> tuple[int, int]:
    numerator = sum((plan.price.minor - stretch.price_minor) * stretch.remaining_microseconds for stretch in stretches)
    return numerator, plan.period // _MICROSECOND


@frozen
class Charge:
    """A price, split into what a QR asks for and what credit pays. Both may be zero, neither is negative.

    Where nothing is charged, credit may pay less than the price: the rest is below what a QR can ask for.
    """

    amount: Money
    credit: Money


def charge(price: Money, *, balance: int, least: int) -> Charge:
    """Use the user's credit (minor units) for a price. A rest below the least a QR can ask for isn't charged."""
    credit = min(balance, price.minor)
    rest = price.minor - credit
    return Charge(Money(rest if rest >= least else 0, price.currency), Money(credit, price.currency))
