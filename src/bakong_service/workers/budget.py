"""The SDK's request budget over the database, so that restarts and replicas share one day's calls."""

from bakong_khqr.errors import QuotaExceeded
from bakong_service.clock import Clock
from bakong_service.domain.allowance import next_day
from bakong_service.storage import budget
from bakong_service.storage.executor import Executor


class BudgetSpent(QuotaExceeded):
    """Our own limit for the day is reached, or a probe of a spent quota isn't due. Bakong wasn't asked."""


class DatabaseBudget:
    """Grants calls out of today's `limit` (None: all of them, counted), for the clients of every process."""

    def __init__(self, executor: Executor, clock: Clock, limit: int | None) -> None:
        self.limit = limit
        self._executor = executor
        self._clock = clock

    async def spend(self, calls: int, *, purpose: str) -> None:
        """Take calls, before they are sent. Raises `BudgetSpent`."""
        if not calls:
            return
        now = self._clock.now()
        if not await self._executor.run(lambda c: budget.spend(c, limit=self.limit, calls=calls, now=now)):
            raise BudgetSpent(f"no call is left today for {purpose}", retry_at=next_day(now))
