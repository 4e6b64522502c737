"""Whether the service's clock is right, and how far Bakong's clock is from it. `Clock` reads the clocks.

Some steps can't be undone: the end of a watch, and what the clock does to a subscription. One clock alone isn't enough
for them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from attrs import frozen

JUMP = timedelta(minutes=1)
"""Two clocks agree if they differ by this at most. A clock that is corrected in small steps stays within it."""


@frozen(kw_only=True)
class Clocks:
    """The readings of the clocks at one moment; None for a clock that doesn't exist or hasn't answered."""

    own: datetime  # this machine's wall clock
    steady: datetime  # the time that was last agreed on, and what the monotonic clock has counted since
    database: datetime | None = None
    bakong: datetime | None = None  # the `Date` of its last answer, and what the monotonic clock has counted since


def agreed_time(clocks: Clocks) -> datetime | None:
    """Return the time that the clocks agree on; None if they disagree and no two of them can settle it.

    If a clock disagrees with the machine's, two others must agree with the machine's. If the database has no clock,
    Bakong's alone is enough. If the database and Bakong agree with each other only, the database's time counts.
    """
    others = [moment for moment in (clocks.steady, clocks.database, clocks.bakong) if moment is not None]
    agreeing = sum(_agree(clocks.own, moment) for moment in others)
    if agreeing == len(others) or agreeing > 1:
        return clocks.own
    if clocks.bakong is not None:
        if clocks.database is None and _agree(clocks.own, clocks.bakong):
            return clocks.own
        if clocks.database is not None and _agree(clocks.database, clocks.bakong):
            return clocks.database
    return None


def _agree(one: datetime, other: datetime) -> bool:
    return abs(one - other) <= JUMP


def is_notable(skew: timedelta, grace: timedelta) -> bool:
    """Return whether the difference is so large that the log warns of it and payments are judged with it."""
    return abs(skew) > grace / 10


def is_harmful(skew: timedelta, grace: timedelta) -> bool:
    """Return whether the difference is so large that the service is degraded."""
    return abs(skew) > grace / 2


def told_date(headers: Mapping[str, str]) -> datetime | None:
    """Return the `Date` of an HTTP answer; None if it has none, or if the answer came out of a cache (`Age`)."""
    text = headers.get("date", "")
    if headers.get("age", "0").strip() != "0":
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
