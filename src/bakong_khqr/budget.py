"""How many calls may be made: a protocol that any store may fulfil, and a budget in memory.

Bakong allows a token 100 calls a day (seen in production, in no document), refused calls included, so a budget counts
before a call is sent and gives nothing back.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from math import ceil, floor
from typing import Protocol

from bakong_khqr.api.envelope import PHNOM_PENH
from bakong_khqr.errors import InvalidRequest, QuotaExceeded, shown


class RequestBudget(Protocol):
    """Asked by a client before each sending of each call, retries included. One budget may serve many clients."""

    def spend(self, calls: int, *, purpose: str) -> float | None:
        """Take `calls` for the endpoint `purpose` (`"check_transaction_by_md5"`).

        Refuse by raising `QuotaExceeded` with `retry_at`. None or 0 lets the call be sent now. Defer it by returning
        seconds: the client waits them out and then asks again with 0 `calls`, since these are taken, until it may send.
        `calls` is also 0 for an endpoint that sends no token.
        """


class AsyncRequestBudget(Protocol):
    """The same for `AsyncBakongClient`, awaited: for a budget that lives in a database."""

    def spend(self, calls: int, *, purpose: str) -> Awaitable[float | None]:
        """As `RequestBudget.spend`."""


class DailyBudget:
    """A budget in memory: `limit` calls in a day of Phnom Penh, at most `calls_per_second`; None doesn't limit.

    The day counts calls that bring a token, by the turns they are given: one that is deferred past midnight is one of
    the new day's. The second counts all calls, by the times when they are really sent: when calls were held up
    together, no second gets more than its number of them.

    Safe to share between threads, tasks and clients of one process. A restart forgets what was spent.
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
        if calls_per_second is not None and not calls_per_second > 0:
            raise InvalidRequest(f"calls_per_second: must be more than 0, not {shown(calls_per_second)}")
        self.limit = limit
        # Whole microseconds, as clocks have, and rounded up, so that no rounding lets a call through early.
        self._interval = timedelta(microseconds=ceil(1_000_000 / calls_per_second) if calls_per_second else 0)
        self._clock = clock
        self._lock = threading.Lock()
        # Every day keeps its number, so that a clock that is set back over midnight gives no call twice. A number a day
        # is too little to be worth forgetting.
        self._used: Counter[date] = Counter()
        # So many calls in so long a time: whole calls in a second, or one call in more than that.
        calls_at_once = max(1, floor(min(calls_per_second or 1, 1_000_000)))
        self._window = max(timedelta(seconds=1), self._interval) if calls_per_second else timedelta()
        self._sent: deque[datetime] = deque(maxlen=calls_at_once)
        self._next_slot = self._next_late = self._asked_at = datetime.min.replace(tzinfo=UTC)

    def spend(self, calls: int, *, purpose: str) -> float:  # noqa: ARG002 - the protocol's; here all calls are alike
        """Take `calls`, or raise `QuotaExceeded` and take none; returns the seconds to wait, and then to ask again."""
        with self._lock:
            now = self._clock()
            if now < self._asked_at:  # the clock was set back: what was planned by it would now be an age away
                self._next_slot = self._next_late = now
                self._sent.clear()
            self._asked_at = now
            # Each call reserves the next free moment, so that a crowd is spread out and few have to ask twice.
            slot = turn = max(now, self._next_slot) if calls else now
            is_late = slot == now and len(self._sent) == self._sent.maxlen and now - self._sent[0] < self._window
            if is_late:
                # Whoever wakes up late meets the second's full number, and late ones don't come back all at once.
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
        """Calls taken whose turn is today."""
        with self._lock:
            return self._used[_day_of(self._clock())]

    @property
    def remaining(self) -> int | None:
        """Calls left today; None when the day isn't limited."""
        return None if self.limit is None else self.limit - self.used

    def _charge(self, calls: int, day: date) -> None:
        if self.limit is not None and self._used[day] + calls > self.limit:
            midnight = datetime.combine(day + timedelta(days=1), time(), PHNOM_PENH)
            raise QuotaExceeded(
                f"our own budget of {self.limit} calls a day is spent", retry_at=midnight.astimezone(UTC)
            )
        self._used[day] += calls


def _day_of(moment: datetime) -> date:
    return moment.astimezone(PHNOM_PENH).date()
