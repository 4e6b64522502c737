"""The loop that calls a worker's step: when it is due, when it is woken, and again after it failed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from bakong_service.clock import Clock

Step = Callable[[datetime], Awaitable[datetime | None]]
"""`await step(now)` does what is due and answers when it wants to be called next; None: only when woken."""

_LONGEST_PAUSE_SECONDS = 60.0

log = structlog.get_logger(__name__)


class Loop:
    """Calls `step` for as long as it is run. `errors` counts the failed calls, `last_step_at` is the last good one.

    The clock may jump (a test clock is moved), so a wait is looked at again every `idle_seconds` of real time.
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
        """Run until cancelled, then `close` the worker. A step that fails is logged with its stack and tried again
        after a growing pause."""
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
            except Exception:  # whatever a step meets, the others' money still has to be looked for
                self.errors += 1
                failed_in_a_row += 1
                log.exception("worker_failed", worker=self.name, failed_in_a_row=failed_in_a_row)
                await asyncio.sleep(min(self._idle_seconds * 2 ** (failed_in_a_row - 1), _LONGEST_PAUSE_SECONDS))
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
