"""How long the periods of a plan are: the only place that computes when a period ends.

The end of a period is computed once, and then stored with the period. Elsewhere a cadence is only passed on, stored,
shown and compared with another one.
"""

from datetime import datetime, timedelta
from typing import Self, TypedDict, Unpack

from attrs import frozen

DEFAULT_DAYS = 30
SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=3660)

_SECOND = timedelta(seconds=1)


class StatedCadence(TypedDict, total=False):
    """How a shop states a cadence: in the API, in the plans file and on the command line."""

    period_days: int
    """How many days one payment pays for; 30 by default."""


@frozen
class Cadence:
    """The length of each period of a plan: a fixed number of seconds, without regard to the calendar and local time."""

    _length: timedelta

    @classmethod
    def stated(cls, **members: Unpack[StatedCadence]) -> Self:
        """Return the cadence that a shop states. Raises `ValueError` for a period that is too short or too long."""
        days = members.get("period_days", DEFAULT_DAYS)
        try:
            length = timedelta(days=days)
        except OverflowError as error:
            raise ValueError(f"period_days is {days}; the most is {LONGEST.days}") from error
        if not SHORTEST <= length <= LONGEST:
            raise ValueError(f"period is {length}; it takes whole seconds, from 1 hour to {LONGEST.days} days")
        return cls(length)

    @classmethod
    def from_stored(cls, stored: str) -> Self:
        """Return the cadence of its stored form."""
        return cls(int(stored.removeprefix("PT").removesuffix("S")) * _SECOND)

    @property
    def stored(self) -> str:
        """The form in which a plan is stored, a duration of ISO 8601: `PT2592000S`."""
        return f"PT{self._length // _SECOND}S"

    @property
    def shown(self) -> dict[str, int]:
        """The members that show it in the API."""
        return {"period_seconds": self._length // _SECOND}

    def end_of_period(self, starts_at: datetime) -> datetime:
        """Return the end of a whole period that starts at `starts_at`."""
        return starts_at + self._length

    def __str__(self) -> str:
        return str(self._length)
