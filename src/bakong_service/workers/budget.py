"""The SDK's request budget in the database, so that restarts and replicas share the calls of one day."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bakong_khqr.errors import QuotaExceeded
from bakong_service.clock import Clock
from bakong_service.domain.allowance import next_day
from bakong_service.storage.bakong import budget
from bakong_service.storage.engine.executor import Executor

_KEPT: ContextVar[int] = ContextVar("kept", default=0)


@contextmanager
def keeping(calls: int) -> Iterator[None]:
    """Leave so many of the day's calls to others, for the calls in this context. The SDK's client knows no priority."""
    token = _KEPT.set(calls)
    try:
        yield
    finally:
        _KEPT.reset(token)


class BudgetSpent(QuotaExceeded):
    """The budget of the day is spent, or Bakong said that the quota is spent. Bakong wasn't asked."""


class DatabaseBudget:
    """Grants calls of today's `limit` to the clients of every process. Without a limit it only counts them."""

    def __init__(self, executor: Executor, clock: Clock, limit: int | None) -> None:
        self.limit = limit
        self._executor = executor
        self._clock = clock

    async def spend(self, calls: int, *, purpose: str) -> None:
        """Count calls before they are sent. Raises `BudgetSpent`."""
        if not calls:
            return
        now, kept = self._clock.now(), _KEPT.get()
        if not await self._executor.run(lambda c: budget.spend(c, limit=self.limit, calls=calls, kept=kept, now=now)):
            raise BudgetSpent(f"no call is left today for {purpose}", retry_at=next_day(now))
