"""Whether the service can do its work. It is checked when somebody asks, and at most once a second."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from bakong_service.resources.operating import UnreadyReason
from bakong_service.storage import idempotency
from bakong_service.storage.engine.executor import DatabaseUnavailable, Executor
from bakong_service.storage.migrations import HEAD, current
from bakong_service.storage.webhooks import outbox

MOST_LAG = timedelta(seconds=60)
_FRESH_SECONDS = 1.0


class Readiness:
    """The result of the last check. Requests that come during a check wait for it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._reasons: list[UnreadyReason] = []
        self._fresh_until = float("-inf")
        self._looking = asyncio.Lock()

    async def reasons(self, executor: Executor, now: Callable[[], datetime]) -> list[UnreadyReason]:
        """Return why the service can't do its work; an empty list if it can. No reason names a host or a secret."""
        async with self._looking:
            if self._monotonic() >= self._fresh_until:
                self._reasons = await _look(executor, now)
                self._fresh_until = self._monotonic() + _FRESH_SECONDS
        return self._reasons


async def _look(executor: Executor, now: Callable[[], datetime]) -> list[UnreadyReason]:
    try:
        await executor.run(idempotency.prove_writable)
        revision = await executor.read(current)
        waiting_since = await executor.read(outbox.oldest_undispatched)
    except DatabaseUnavailable:
        return ["database_unavailable"]
    reasons: list[UnreadyReason] = []
    if revision != HEAD:
        reasons.append("schema_not_at_head")
    if waiting_since is not None and now() - waiting_since > MOST_LAG:
        reasons.append("events_not_dispatched")
    return reasons
