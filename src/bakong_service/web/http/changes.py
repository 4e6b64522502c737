"""Waiting for a payment to change. A signal wakes whoever waits; what a signal misses, a look every second finds."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.engine.signals import PAYMENTS

T = TypeVar("T")

_LOOK_AGAIN_SECONDS = 1.0


class Changes:
    """Who waits for which payment."""

    def __init__(self, executor: Executor) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        executor.listen(PAYMENTS, self._tell)

    async def until(
        self,
        reference: str,
        look: Callable[[], Awaitable[T]],
        reached: Callable[[T], bool],
        *,
        seconds: float,
        stopping: asyncio.Event,
        look_again_seconds: float = _LOOK_AGAIN_SECONDS,
    ) -> T:
        """What `look` sees, as soon as it is `reached`, the time is over, or the process stops."""
        ends_at = asyncio.get_running_loop().time() + seconds
        with self._woken_by(reference) as woken:
            while not reached(seen := await look()) and not stopping.is_set():
                left = ends_at - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                woken.clear()
                await _first(woken, stopping, seconds=min(left, look_again_seconds))
        return seen

    @contextmanager
    def _woken_by(self, reference: str) -> Iterator[asyncio.Event]:
        woken = asyncio.Event()
        self._waiting.setdefault(reference, set()).add(woken)
        try:
            yield woken
        finally:
            self._waiting[reference].discard(woken)
            if not self._waiting[reference]:
                del self._waiting[reference]

    def _tell(self, reference: str) -> None:
        for woken in self._waiting.get(reference, ()):
            woken.set()


async def _first(*events: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
