"""Checks the invariants every hour, and logs an error if one is broken."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from attrs import define

from bakong_service.operations.business import Business
from bakong_service.storage.checks.verification import verify
from bakong_service.storage.engine.executor import Executor

_FIRST = timedelta(minutes=5)  # the start of the service has other work first
_EVERY = timedelta(hours=1)
_TOLD = 20  # rows in one log line

log = structlog.get_logger(__name__)


@define(eq=False)
class Verifier:
    """Checks the whole database, and gives `told` the number of rows that break an invariant."""

    executor: Executor
    business: Business
    told: Callable[[int], None]
    _due: datetime | None = None

    async def step(self, now: datetime) -> datetime:
        """Check. The next step is in an hour."""
        self._due = self._due or now + _FIRST
        if now < self._due:
            return self._due
        business = self.business
        found = await self.executor.read(
            lambda connection: verify(
                connection, business.vault, subscription_grace=business.subscriptions.grace, now=now
            ),
            patient=True,
        )
        self.told(len(found))
        if found:
            rows = [f"{each.invariant} {each.subject}: {each.found}" for each in found[:_TOLD]]
            log.error("invariants_broken", count=len(found), rows=rows)
        self._due = now + _EVERY
        return self._due
