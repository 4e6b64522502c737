"""What a change of plan costs or gives back: whole seconds and whole minor units, rounded once, never a float.

charge = round half up( sum over paid periods of (new price - old price) * remaining seconds / period seconds )
credit = floor        ( sum over paid periods of (old price - new price) * remaining seconds / period seconds )
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor

from attrs import frozen

from bakong_service.domain.money import Money
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Period

_MICROSECOND = timedelta(microseconds=1)
_NOTHING = Fraction(0)


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
    return Money(max(0, floor(_difference(stretches, plan) + Fraction(1, 2))), plan.price.currency)


def downgrade_credit(stretches: Iterable[Stretch], plan: Plan, *, waived: Fraction = _NOTHING) -> Money:
    """What the rest of the paid time costs less under `plan`, rounded down to the minor unit; never below zero.

    `waived` is what nobody paid of that time: it isn't earned.
    """
    return Money(max(0, floor(-_difference(stretches, plan) - waived)), plan.price.currency)


def waived_by_upgrade(stretches: Iterable[Stretch], plan: Plan, *, paid: Money) -> Fraction:
    """What an upgrade without a QR costs more than the credit that pays for it: exact, in minor units.

    Not rounded: several upgrades of less than half a cent each are waived, and one downgrade gives them back as a cent.
    """
    return max(_NOTHING, _difference(stretches, plan) - paid.minor)


def waived_after_downgrade(stretches: Iterable[Stretch], plan: Plan, *, waived: Fraction) -> Fraction:
    """What is still waived under the cheaper plan: the more it costs less, the less is left."""
    return max(_NOTHING, waived - max(_NOTHING, -_difference(stretches, plan)))


def _difference(stretches: Iterable[Stretch], plan: Plan) -> Fraction:
    numerator = sum((plan.price.minor - stretch.price_minor) * stretch.remaining_microseconds for stretch in stretches)
    return Fraction(numerator, plan.period // _MICROSECOND)


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
