"""The arithmetic of value: what time serves, what a plan needs, what a change moves, and what a refund shortens.

All amounts are whole minor units (cents, riel) of one currency; parts of a unit are exact fractions, rounded half up.
Value is only moved; it is never computed from prices a second time. The accounts between which it moves are in
`domain/ledger.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor

from attrs import evolve, frozen

from bakong_service.domain.money import Money
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Period

_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
# A fraction whose denominator is larger is rounded to the 10^-24th part of a unit, so that it can't grow for ever.
_LONGEST_FRACTION = 10**36
_FINEST = 10**24


def rounded(amount: Fraction) -> int:
    """Return an amount in whole minor units, rounded half up."""
    return floor(amount + Fraction(1, 2))


def prorated(value: Fraction, part: timedelta, whole: timedelta) -> Fraction:
    """Return the exact value of a part of the time `whole`, over which `value` is spread evenly.

    This is the only rule of proration: what time serves, what a plan needs, and what a refund restores all follow it.
    `whole` is more than zero.
    """
    return value * Fraction(part // _MICROSECOND, whole // _MICROSECOND)


def remaining(period: Period, now: datetime) -> timedelta:
    """Return the part of a period's time that is not served yet."""
    return max(period.ends_at - max(period.starts_at, now), timedelta(0))


def left(period: Period, now: datetime) -> Fraction:
    """Return the exact value of a period that is not served by `now`.

    It is in proportion to the time that is left since value was last put in or taken out. Each call counts from that
    moment, so a thousand calls in between change nothing.
    """
    whole = remaining(period, period.valued_at)
    return prorated(period.value, remaining(period, now), whole) if whole else Fraction(0)


def held(period: Period, now: datetime) -> int:
    """Return what the ledger's account of a period holds once time has been served up to `now`."""
    return rounded(left(period, now))


def revalued(period: Period, minor: int, now: datetime) -> Period:
    """Return the period after `minor` units were put in, or taken out if `minor` is negative."""
    value = left(period, now) + minor
    if value.denominator > _LONGEST_FRACTION:
        value = Fraction(rounded(value * _FINEST), _FINEST)
    return evolve(period, value=value, valued_at=now)


# A change of plan


def need(period: Period, plan: Plan, now: datetime) -> int:
    """Return what the rest of a period costs under a plan."""
    whole = plan.cadence.end_of_period(period.starts_at) - period.starts_at
    return rounded(prorated(Fraction(plan.price.minor), remaining(period, now), whole))


@frozen
class Share:
    """What a change of plan puts into the period with this number (above zero), or frees there (below zero)."""

    number: int
    minor: int


def shares(periods: Sequence[Period], plan: Plan, now: datetime) -> tuple[Share, ...]:
    """Return, for each paid period that is not over, what it needs under `plan` less what it holds."""
    return tuple(
        Share(period.number, need(period, plan, now) - held(period, now)) for period in periods if period.ends_at > now
    )


def difference(changes: Sequence[Share]) -> int:
    """Return what a change of plan costs; below zero, what it frees."""
    return sum(share.minor for share in changes)


@frozen
class Move:
    """Units that move from one period to another, by their numbers, or to the user's credit if `target` is None."""

    source: int
    target: int | None
    minor: int


def freed(changes: Sequence[Share]) -> tuple[Move, ...]:
    """Return how a change that costs nothing moves value: a surplus fills the other periods, and the rest is credit.

    The surplus of earlier periods is used first, so credit comes from the later ones. If the change costs something,
    nothing moves.
    """
    if difference(changes) > 0:
        return ()
    wanting = {share.number: share.minor for share in changes if share.minor > 0}
    moves = []
    for share in changes:
        spare = max(0, -share.minor)
        for number in wanting:
            if part := min(spare, wanting[number]):
                moves.append(Move(share.number, number, part))
                wanting[number] -= part
                spare -= part
        if spare:
            moves.append(Move(share.number, None, spare))
    return tuple(moves)


def apportioned(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split `total` in proportion to `weights`, by largest remainder: the parts add up to `total` exactly."""
    whole = sum(weights)
    if not whole:
        return tuple(0 for _ in weights)
    exact = [Fraction(total * weight, whole) for weight in weights]
    parts = [floor(part) for part in exact]
    by_remainder = sorted(range(len(weights)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return tuple(parts)


# A price and the user's credit


@frozen
class Charge:
    """A price, split into what a QR asks for and what credit pays. Either may be zero, and neither is negative.

    If `amount` is zero, credit may pay less than the price. That difference is less than a QR can ask for, and it is
    waived: it was never value, and enters no account.
    """

    amount: Money
    credit: Money


def charge(price: Money, *, balance: int, least: int) -> Charge:
    """Pay a price with the user's credit first. A rest below `least`, the smallest amount of a QR, is waived."""
    credit = min(balance, price.minor)
    rest = price.minor - credit
    return Charge(Money(rest if rest >= least else 0, price.currency), Money(credit, price.currency))


# Time follows value


@frozen
class Timetable:
    """The periods of a subscription after a refund has taken value out of them, in order."""

    kept: tuple[Period, ...]
    removed: tuple[Period, ...]


def shortened(periods: Sequence[Period], taken: Mapping[int, int], now: datetime) -> Timetable:
    """Cut the unserved time of each period in the proportion in which it lost value, in whole seconds, rounded down.

    `taken` is what the refund took out, by the period's id. A period that lost all of its value is removed, except that
    the present one ends now, because its served part stays. Later periods move up and keep their value and their plan.
    A period that lost nothing keeps its length.
    """
    kept: list[Period] = []
    removed: list[Period] = []
    for period in periods:
        length, after = remaining(period, now), period
        if lost := taken.get(period.id, 0):
            before = held(period, now)
            length = length * (before - lost) // before // _SECOND * _SECOND
            after = revalued(period, -lost, now) if before > lost else _emptied(period, now)
            if before == lost and kept:
                removed.append(after)
                continue
        starts_at = kept[-1].ends_at if kept else period.starts_at
        number = kept[-1].number + 1 if kept else periods[0].number
        kept.append(evolve(after, number=number, starts_at=starts_at, ends_at=max(starts_at, now) + length))
    return Timetable(tuple(kept), tuple(removed))


def _emptied(period: Period, now: datetime) -> Period:
    return evolve(period, value=Fraction(0), valued_at=now)
