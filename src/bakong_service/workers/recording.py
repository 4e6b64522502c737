"""Records attempts at deliveries, as many together as are waiting when a transaction begins."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from bakong_service.domain.delivery import DeliveryState
from bakong_service.operations.webhooks.deliveries import Attempt
from bakong_service.storage.engine.executor import DatabaseUnavailable

Write = Callable[[Sequence[Attempt]], Awaitable[list[DeliveryState | None]]]
"""Records attempts in one transaction, and returns the state of each delivery after that."""


class Recorder:
    """Records one attempt for each call of `record`, with one transaction at a time.

    The attempts that end during a transaction are recorded together by the next one. So the busier the worker is, the
    fewer transactions an attempt costs.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: list[tuple[Attempt, asyncio.Future[DeliveryState | None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def record(self, attempt: Attempt) -> DeliveryState | None:
        """Record an attempt. Return the state of its delivery after that, or None if its lease was lost."""
        recorded: asyncio.Future[DeliveryState | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((attempt, recorded))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="record-attempts")
        return await recorded

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                # If the task that waits was cancelled, the lease ends and the delivery is attempted again.
                await self._together([one for one in waiting if not one[1].cancelled()])
        finally:
            self._writing = None

    async def _together(self, waiting: Sequence[tuple[Attempt, asyncio.Future[DeliveryState | None]]]) -> None:
        if not waiting:
            return
        try:
            states = await self._write([attempt for attempt, _ in waiting])
        except Exception as error:  # noqa: BLE001 - handed to those who wait for it
            if len(waiting) > 1 and not isinstance(error, DatabaseUnavailable):
                for one in waiting:  # so that one attempt that can't be recorded doesn't fail the others
                    await self._together([one])
                return
            for _, recorded in waiting:
                if not recorded.done():
                    recorded.set_exception(error)
            return
        for (_, recorded), state in zip(waiting, states, strict=True):
            if not recorded.done():
                recorded.set_result(state)
