"""Waits until a payment changes.

A signal of the database wakes the requests that wait for the payment. A signal may be lost, so each of them also looks
every second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.engine.signals import PAYMENTS

T = TypeVar("T")

_LOOK_AGAIN_SECONDS = 1.0


class Changes:
    """The requests of this process that wait for a change of a payment. One is made for the life of the process."""

    def __init__(self, executor: Executor) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}  # by the payment's reference, an event for each request
        executor.listen(PAYMENTS, self._wake)

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
        """Call `look` at each change of the payment `reference`, and return what it returned last.

        `look` reads the payment, and is called once at least. The waiting ends if `reached` is true for what `look`
        returned, after `seconds`, or when the process stops, which sets `stopping`.
        """
        ends_at = asyncio.get_running_loop().time() + seconds
        with self._woken_by(reference) as woken:
            while not reached(seen := await look()) and not stopping.is_set():
                left = ends_at - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                woken.clear()
                await _any_of(woken, stopping, seconds=min(left, look_again_seconds))
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

    def _wake(self, reference: str) -> None:
        for woken in self._waiting.get(reference, ()):
            woken.set()


async def _any_of(*events: asyncio.Event, seconds: float) -> None:
    """Wait until one of the events is set, at most `seconds`."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
