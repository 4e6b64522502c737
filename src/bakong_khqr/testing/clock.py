"""The simulator's clock, which tests can move, and the actions that wait for their time."""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FARTHEST: Final = timedelta(days=36_525)


def to_milliseconds(moment: datetime) -> int:
    """Return the milliseconds since 1970 of an aware time. Raises `ValueError` for a naive time."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return (moment - _EPOCH) // _MILLISECOND


class SimulatorClock:
    """A source of time with an offset."""

    def __init__(self, source: Callable[[], datetime]) -> None:
        self._source = source
        self._offset = timedelta()
        self._moment_ms: int | None = None  # while an action runs, the time is the action's
        self._agenda: list[tuple[int, int, Callable[[], object]]] = []
        self._added = 0  # keeps actions of one moment in order, so that functions aren't compared

    @property
    def offset(self) -> timedelta:
        """How far this clock is ahead of its source: at most a hundred years, ahead or behind."""
        return self._offset

    @offset.setter
    def offset(self, offset: timedelta) -> None:
        if abs(offset) > _FARTHEST:
            raise ValueError(f"offset: {offset} is more than a hundred years")
        self._offset = offset

    @property
    def now_ms(self) -> int:
        """The time in milliseconds since 1970."""
        return self._moment_ms if self._moment_ms is not None else to_milliseconds(self._source() + self.offset)

    @property
    def now(self) -> datetime:
        """The time, in UTC, to the millisecond."""
        return _EPOCH + timedelta(milliseconds=self.now_ms)

    def set(self, now: datetime) -> None:
        """Set the clock to this time (aware). From then on it runs with its source."""
        self.offset += timedelta(milliseconds=to_milliseconds(now) - self.now_ms)

    def after(self, delay: timedelta, action: Callable[[], object]) -> None:
        """Run an action after a delay."""
        self._added += 1
        heapq.heappush(self._agenda, (self.now_ms + delay // _MILLISECOND, self._added, action))

    def run_due(self) -> None:
        """Run the actions that are due, each at its own time."""
        while self._agenda and self._agenda[0][0] <= self.now_ms:
            self._moment_ms, _, action = heapq.heappop(self._agenda)
            try:
                action()
            finally:
                self._moment_ms = None
