"""How many calls may be made: a protocol that any store can implement, and a budget in memory.

Bakong allows a token 100 calls a day, refused calls included (seen in production; no document says it). So a budget
counts a call before it is sent, and never undoes that.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from math import ceil, floor
from typing import Protocol

from bakong_khqr._kinds import aware_clock
from bakong_khqr._process import PerProcess
from bakong_khqr.api.envelope import PHNOM_PENH
from bakong_khqr.errors import InvalidRequest, QuotaExceeded, shown


class RequestBudget(Protocol):
    """A client asks the budget before it sends a call, also before each retry. Many clients may share one budget."""

    def spend(self, calls: int, *, purpose: str) -> float | None:
        """Count `calls` for the endpoint `purpose` (`"check_transaction_by_md5"`).

        To refuse the call, raise `QuotaExceeded` with `retry_at`. To let it be sent now, return None or 0. To defer it,
        return seconds: the client waits, then asks again with 0 `calls`, because they are counted already, until it may
        send. `calls` is also 0 for an endpoint that sends no token.
        """


class AsyncRequestBudget(Protocol):
    """The same for `AsyncBakongClient`, awaited, for a budget in a database."""

    def spend(self, calls: int, *, purpose: str) -> Awaitable[float | None]:
        """Count `calls`, as `RequestBudget.spend` does."""


class DailyBudget:
    """A budget in memory: `limit` calls in a day of Phnom Penh, and `calls_per_second`. None means no limit.

    The limit of the day counts calls with a token. A call that is deferred past midnight counts for the new day. The
    limit of the second counts all calls at the time when they are really sent, so calls that waited together are still
    spread out.

    Threads, tasks and clients of one process may share a budget. A restart forgets the count. A forked process counts
    for itself from then on, so several processes need a budget of your own.
    """

    def __init__(
        self,
        limit: int | None = 100,
        *,
        calls_per_second: float | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int | None):
            raise TypeError(f"limit: must be a whole number of calls, not {type(limit).__name__}")
        if limit is not None and limit < 0:
            raise InvalidRequest(f"limit: must be 0 or more calls a day, not {shown(limit)}")
        if isinstance(calls_per_second, bool) or not isinstance(calls_per_second, int | float | None):
            raise TypeError(f"calls_per_second: must be a number, not {type(calls_per_second).__name__}")
        if calls_per_second is not None and not calls_per_second > 0:
            raise InvalidRequest(f"calls_per_second: must be more than 0, not {shown(calls_per_second)}")
        self.limit = limit
        """The most calls of a day; `None` if the day isn't limited."""
        # In whole microseconds, as clocks have, and rounded up, so that no call is sent too early.
        self._interval = timedelta(microseconds=ceil(1_000_000 / calls_per_second) if calls_per_second else 0)
        self._clock = aware_clock("clock", clock)
        # A lock that another thread holds at a fork is never released in the child.
        self._lock = PerProcess(lambda _: threading.Lock())
        # Every day keeps its count, so that a clock that is set back over midnight gives no call twice. One number for
        # each day needs little memory.
        self._used: Counter[date] = Counter()
        # The window is a second with a whole number of calls, or a longer time with one call.
        calls_at_once = max(1, floor(min(calls_per_second or 1, 1_000_000)))
        self._window = max(timedelta(seconds=1), self._interval) if calls_per_second else timedelta()
        self._sent: deque[datetime] = deque(maxlen=calls_at_once)
        self._next_slot = self._next_late = self._asked_at = datetime.min.replace(tzinfo=UTC)

    def spend(self, calls: int, *, purpose: str) -> float:  # noqa: ARG002 - the protocol has it; all calls are alike here
        """Count `calls` and return the seconds to wait before asking again. Raise `QuotaExceeded` without counting."""
        with self._lock.here:
            now = self._clock()
            if now < self._asked_at:  # the clock was set back, so the planned times would be far away now
                self._next_slot = self._next_late = now
                self._sent.clear()
            self._asked_at = now
            # Each call reserves the next free moment, so that many calls are spread out and few have to ask twice.
            slot = turn = max(now, self._next_slot) if calls else now
            is_late = slot == now and len(self._sent) == self._sent.maxlen and now - self._sent[0] < self._window
            if is_late:
                # A call that wakes up late finds the second full. Late calls are spread out as well.
                turn = max(self._sent[0] + self._window, self._next_late + self._interval)
            self._charge(calls, _day_of(turn))
            if calls:
                self._next_slot = slot + calls * self._interval
            if is_late:
                self._next_late = turn
            elif turn == now:
                self._sent.append(now)
            return (turn - now).total_seconds()

    @property
    def used(self) -> int:
        """The calls that are counted for today."""
        with self._lock.here:
            return self._used[_day_of(self._clock())]

    @property
    def remaining(self) -> int | None:
        """The calls that are left today; None if the day isn't limited."""
        return None if self.limit is None else self.limit - self.used

    def _charge(self, calls: int, day: date) -> None:
        if self.limit is not None and self._used[day] + calls > self.limit:
            midnight = datetime.combine(day + timedelta(days=1), time(), PHNOM_PENH)
            raise QuotaExceeded(f"the budget of {self.limit} calls a day is spent", retry_at=midnight.astimezone(UTC))
        self._used[day] += calls


def _day_of(moment: datetime) -> date:
    return moment.astimezone(PHNOM_PENH).date()
