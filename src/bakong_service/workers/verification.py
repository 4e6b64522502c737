"""Checks the invariants every hour, and says so loudly when one is broken."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from attrs import define

from bakong_service.operations.business import Business
from bakong_service.storage.executor import Executor
from bakong_service.storage.verification import verify

_FIRST = timedelta(minutes=5)  # a start has other things to do
_EVERY = timedelta(hours=1)
_TOLD = 20  # rows in one log line

log = structlog.get_logger(__name__)


@define(eq=False)
class Verifier:
    """Looks at the whole database, and tells `told` how many rows break an invariant."""

    executor: Executor
    business: Business
    told: Callable[[int], None]
    _due: datetime | None = None

    async def step(self, now: datetime) -> datetime:
        """Look; again in an hour."""
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
