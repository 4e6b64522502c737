"""The clock of subscriptions. It sends reminders, and applies boundaries and the ends of grace and of subscriptions."""

from datetime import datetime, timedelta

import structlog

from bakong_service.clock import Clock
from bakong_service.domain.subscription import Status
from bakong_service.operations.business import Business
from bakong_service.operations.subscriptions import boundaries
from bakong_service.operations.unit_of_work import CLOCK, transaction
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.subscriptions import subscriptions
from bakong_service.workers.timekeeping import Timekeeper

log = structlog.get_logger(__name__)

_AT_ONCE = 100
_LOOK_AGAIN = timedelta(minutes=1)  # nothing is due so soon after a subscription began: the shortest period is an hour
_LEASED_PAUSE = timedelta(seconds=1)  # other workers have leased what is due now


class Boundaries:
    """Applies what is due, each subscription in its own transaction, so that a failure doesn't stop the others.

    Several workers may run, because a lease gives each subscription to one of them.
    """

    def __init__(
        self, executor: Executor, business: Business, clock: Clock, timekeeper: Timekeeper | None = None
    ) -> None:
        self._executor = executor
        self._business = business
        self._clock = clock
        self._timekeeper = timekeeper

    async def step(self, now: datetime) -> datetime:
        """Apply what is due, and return when the next boundary is due. Raises the error of the first failure.

        The end of a subscription can't be undone, so nothing is applied while the process's clock isn't confirmed.
        """
        if self._timekeeper is not None:
            if not await self._timekeeper.agreed():
                return self._clock.now() + _LOOK_AGAIN
            now = self._clock.now()  # the comparison may have changed the clock
        failures: list[Exception] = []
        while claimed := await self._executor.run(
            lambda connection: subscriptions.claim_due(connection, limit=_AT_ONCE, now=now)
        ):
            for subscription_id in claimed:
                try:
                    await self._apply(subscription_id)
                except Exception as error:  # noqa: BLE001 - raised below, after the other subscriptions
                    failures.append(error)
        if failures:
            raise failures[0]
        soonest = await self._executor.read(subscriptions.next_due_at)
        if soonest is None or soonest > now + _LOOK_AGAIN:
            return now + _LOOK_AGAIN
        return max(soonest, now + _LEASED_PAUSE)

    async def _apply(self, subscription_id: int) -> None:
        now = self._clock.now()
        before, after = await self._executor.run(
            transaction(self._business, CLOCK, now, lambda work: boundaries.come_by(work, subscription_id))
        )
        if after.status is Status.EXPIRED and before.status in (Status.ACTIVE, Status.PAST_DUE):
            log.warning("renewal_failed", subscription=after.reference, plan=after.plan.code)
