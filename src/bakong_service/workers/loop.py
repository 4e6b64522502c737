"""Calls a worker's step when it is due, when it is woken, and again after it failed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from bakong_service.clock import Clock
from bakong_service.storage.engine.executor import DatabaseUnavailable

Step = Callable[[datetime], Awaitable[datetime | None]]
"""`await step(now)` does what is due and returns when it is due again; None if it waits only for `wake`."""

_LONGEST_PAUSE_SECONDS = 60.0
_LONGEST_DATABASE_PAUSE_SECONDS = 5.0  # so that the work goes on soon after the database is back

log = structlog.get_logger(__name__)


class Loop:
    """Calls a step again and again. `errors` counts failed calls; `last_step_at` is the time of the last good call.

    The clock may jump, because a test clock can be moved. So a wait looks at the clock every `idle_seconds`.
    """

    def __init__(
        self,
        name: str,
        step: Step,
        clock: Clock,
        wake: asyncio.Event | None = None,
        idle_seconds: float = 1.0,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.name = name
        self.errors = 0
        self.last_step_at: datetime | None = None
        self._step = step
        self._clock = clock
        self._wake = wake or asyncio.Event()
        self._idle_seconds = idle_seconds
        self._close = close

    async def run(self) -> None:
        """Run until cancelled, then `close` the worker. A failed step is logged and repeated after a growing pause."""
        try:
            await self._run()
        finally:
            if self._close is not None:
                await self._close()

    async def _run(self) -> None:
        failed_in_a_row = 0
        while True:
            self._wake.clear()
            try:
                due = await self._step(self._clock.now())
            except Exception as error:  # after any error, the service still has to look for money
                self.errors += 1
                failed_in_a_row += 1
                log.exception("worker_failed", worker=self.name, failed_in_a_row=failed_in_a_row)
                longest = _LONGEST_DATABASE_PAUSE_SECONDS if _is_the_database(error) else _LONGEST_PAUSE_SECONDS
                await asyncio.sleep(min(self._idle_seconds * 2 ** (failed_in_a_row - 1), longest))
                continue
            failed_in_a_row = 0
            self.last_step_at = self._clock.now()
            await self._until(due)

    async def _until(self, due: datetime | None) -> None:
        while not self._wake.is_set() and (due is None or (left := (due - self._clock.now()).total_seconds()) > 0):
            timeout = None if due is None else min(left, self._idle_seconds)
            try:
                await asyncio.wait_for(self._wake.wait(), timeout)
            except TimeoutError:
                continue


def _is_the_database(error: Exception) -> bool:
    """Return whether a step failed only because the database is unavailable."""
    if isinstance(error, ExceptionGroup):
        return error.split(DatabaseUnavailable)[1] is None
    return isinstance(error, DatabaseUnavailable)
