"""The dispatcher: as soon as an event is committed, it gets its place in the feed and its deliveries."""

from datetime import datetime, timedelta

from bakong_service.clock import Clock
from bakong_service.operations import dispatching
from bakong_service.operations.business import Business
from bakong_service.storage import outbox
from bakong_service.storage.executor import Executor

_LOOK_AGAIN = timedelta(seconds=1)  # the net below the signals, which may be lost


class Dispatcher:
    """Dispatches all there is at each step. Several may run: the database lets one at a time."""

    def __init__(self, executor: Executor, business: Business, clock: Clock) -> None:
        self._executor = executor
        self._business = business
        self._clock = clock

    async def step(self, now: datetime) -> datetime:
        """Dispatch until nothing is left."""
        while await self._executor.read(outbox.oldest_undispatched) is not None:
            if not await self._executor.run(
                lambda connection: dispatching.dispatch(connection, self._business, now=self._clock.now())
            ):
                break  # another one is at it
        return now + _LOOK_AGAIN
