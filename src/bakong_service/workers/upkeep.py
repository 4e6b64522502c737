"""Small duties on the side: follow the test clock, forget what is over."""

from datetime import datetime, timedelta

from attrs import frozen

from bakong_service.clock import Clock
from bakong_service.operations import deliveries
from bakong_service.storage import idempotency, test_clock
from bakong_service.storage.executor import Executor

_FOLLOW_EVERY = timedelta(seconds=1)
_FORGET_EVERY = timedelta(hours=1)


@frozen(eq=False)
class ClockFollower:
    """Keeps this process's clock at the test clock's offset, which another process may have moved."""

    executor: Executor
    clock: Clock

    async def step(self, now: datetime) -> datetime:
        """Look at the offset; again in a second."""
        del now
        self.clock.offset = await self.executor.read(test_clock.offset)
        return self.clock.now() + _FOLLOW_EVERY


@frozen(eq=False)
class Forgetter:
    """Forgets the idempotency keys that are over, and the deliveries' attempts that are old."""

    executor: Executor

    async def step(self, now: datetime) -> datetime:
        """Forget; again in an hour."""
        await self.executor.run(lambda connection: idempotency.prune(connection, now=now))
        while await self.executor.run(lambda connection: deliveries.forget_attempts(connection, now=now)):
            pass  # a thousand a transaction, so that nobody waits
        return now + _FORGET_EVERY
