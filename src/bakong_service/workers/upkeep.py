"""Follows the test clock, and deletes what isn't needed any more."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from attrs import frozen

from bakong_service.clock import Clock
from bakong_service.operations.webhooks import deliveries
from bakong_service.storage import idempotency, test_clock
from bakong_service.storage.engine.executor import Executor

_FOLLOW_EVERY = timedelta(seconds=1)
_WRITE_EVERY = timedelta(seconds=5)
_FORGET_EVERY = timedelta(hours=1)


@frozen(eq=False)
class ClockFollower:
    """Keeps this process's clock with the test clock, which another process may have moved."""

    executor: Executor
    clock: Clock

    async def step(self, now: datetime) -> datetime:
        """Read the offset. The next step is in a second."""
        del now
        self.clock.offset = await self.executor.read(test_clock.offset)
        return self.clock.now() + _FOLLOW_EVERY


@frozen(eq=False)
class KeyUseWriter:
    """Writes when keys were last used, every few seconds and once more when the process stops."""

    write: Callable[[], Awaitable[None]]

    async def step(self, now: datetime) -> datetime:
        """Write; again in five seconds."""
        await self.write()
        return now + _WRITE_EVERY


@frozen(eq=False)
class Forgetter:
    """Deletes expired idempotency keys and old attempts of deliveries."""

    executor: Executor

    async def step(self, now: datetime) -> datetime:
        """Delete them. The next step is in an hour."""
        await self.executor.run(lambda connection: idempotency.prune(connection, now=now))
        while await self.executor.run(lambda connection: deliveries.forget_attempts(connection, now=now)):
            pass  # a thousand in one transaction, so that nobody waits for long
        return now + _FORGET_EVERY
