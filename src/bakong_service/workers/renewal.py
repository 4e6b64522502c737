"""The clock over subscriptions: reminders, boundaries, the end of a grace, the end of a cancelled one."""

from datetime import datetime, timedelta

import structlog

from bakong_service.clock import Clock
from bakong_service.domain.subscription import Status
from bakong_service.operations import boundaries
from bakong_service.operations.business import Business
from bakong_service.storage import subscriptions
from bakong_service.storage.executor import Executor

log = structlog.get_logger(__name__)

_AT_ONCE = 100
_LOOK_AGAIN = timedelta(minutes=1)  # no subscription has anything due sooner after it began: the shortest period is 1 h
_LEASED_PAUSE = timedelta(seconds=1)  # what is due and not ours is another worker's


class Boundaries:
    """Applies what is due, each subscription in a transaction of its own: one that fails holds up no other.

    Several may run: a lease keeps them apart, and who comes second finds nothing due.
    """

    def __init__(self, executor: Executor, business: Business, clock: Clock) -> None:
        self._executor = executor
        self._business = business
        self._clock = clock

    async def step(self, now: datetime) -> datetime:
        """Apply what is due by now; when the next is due. Raises what the first of the failed ones raised."""
        failures: list[Exception] = []
        while claimed := await self._executor.run(
            lambda connection: subscriptions.claim_due(connection, limit=_AT_ONCE, now=now)
        ):
            for subscription_id in claimed:
                try:
                    await self._apply(subscription_id)
                except Exception as error:  # noqa: BLE001 - raised below, when the others have been served
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
            lambda connection: boundaries.come_by(connection, self._business, subscription_id, now=now)
        )
        if after.status is Status.EXPIRED and before.status in (Status.ACTIVE, Status.PAST_DUE):
            log.warning("renewal_failed", subscription=after.reference, plan=after.plan.code)
