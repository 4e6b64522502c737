"""The dispatcher gives each committed event its place in the feed and its deliveries."""

from datetime import datetime, timedelta

from bakong_service.clock import Clock
from bakong_service.operations.business import Business
from bakong_service.operations.unit_of_work import WEBHOOKS, transaction
from bakong_service.operations.webhooks import dispatching
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.webhooks import outbox

_LOOK_AGAIN = timedelta(seconds=1)  # because a signal may be lost


class Dispatcher:
    """Dispatches all events at each step. Several may run, because the database lets only one work at a time."""

    def __init__(self, executor: Executor, business: Business, clock: Clock) -> None:
        self._executor = executor
        self._business = business
        self._clock = clock

    async def step(self, now: datetime) -> datetime:
        """Dispatch until nothing is left."""
        while await self._executor.read(outbox.oldest_undispatched) is not None:
            if not await self._executor.run(
                transaction(self._business, WEBHOOKS, self._clock.now(), dispatching.dispatch)
            ):
                break  # another dispatcher is working
        return now + _LOOK_AGAIN
