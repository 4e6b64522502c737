"""Gives each code its creation time: the time of day, and never the same millisecond twice in one process.

Two dynamic codes with equal fields and an equal creation time are the same text. Bakong knows them as one code, so one
payment would settle two orders.
"""

from bisect import bisect_right
from collections.abc import Callable
from threading import Lock
from time import time_ns

from bakong_khqr._process import PerProcess

_MOST_RUNS = 4_096


class Creation:
    """Gives out creation times in milliseconds, each at most once, even if `clock` stands still or goes back.

    `clock` returns nanoseconds since 1970. The times that were given out are kept as runs of neighbouring milliseconds,
    so that a clock that was set back still gives its own times if they are free. If there are more than 4,096 runs, the
    two earliest become one, and the times between them aren't given out any more.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = PerProcess(lambda _: Lock())  # after a fork, nobody is left to release a lock that was held
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def next_ms(self) -> int:
        """Return the present time in milliseconds, or the next millisecond that wasn't given out yet."""
        with self._lock.here:
            now = self._clock() // 1_000_000
            firsts, lasts = self._firsts, self._lasts
            run = bisect_right(firsts, now) - 1  # the last run that begins at or before the present
            moment = now if run < 0 or lasts[run] < now else lasts[run] + 1
            if run >= 0 and lasts[run] == moment - 1:
                lasts[run] = moment
            else:
                run += 1
                firsts.insert(run, moment)
                lasts.insert(run, moment)
            if run + 1 < len(firsts) and firsts[run + 1] == moment + 1:  # two runs have met
                del firsts[run + 1], lasts[run]
            if len(firsts) > _MOST_RUNS:
                del firsts[1], lasts[0]
            return moment


# The lambda finds `time_ns` at each call, so that a test can replace it.
_creation = Creation(lambda: time_ns())

next_ms = _creation.next_ms
