"""The loop that calls a worker: when it is due by the clock, when it is woken, and again after it failed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bakong_service.workers.loop import Loop

pytestmark = pytest.mark.anyio


class HandClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


class Worker:
    """Counts its steps; each test says what a step answers or raises."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.steps: list[datetime] = []
        self.stepped = asyncio.Event()
        self.answers: list[datetime | Exception | None] = []

    async def step(self, now: datetime) -> datetime | None:
        self.steps.append(now)
        self.stepped.set()
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def next_step(self) -> None:
        async with asyncio.timeout(5):
            await self.stepped.wait()
        self.stepped.clear()


async def test_it_is_called_at_once_and_then_when_it_is_woken() -> None:
    clock, wake = HandClock(), asyncio.Event()
    worker = Worker(clock)
    loop = Loop("test", worker.step, clock, wake)  # type: ignore[arg-type]  # a clock by shape
    task = asyncio.create_task(loop.run())
    await worker.next_step()
    await asyncio.sleep(0)
    assert len(worker.steps) == 1
    assert loop.last_step_at == clock.moment
    wake.set()
    await worker.next_step()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_clock_that_jumps_is_noticed() -> None:
    clock = HandClock()
    worker = Worker(clock)
    worker.answers = [clock.moment + timedelta(hours=1)]
    loop = Loop("test", worker.step, clock, idle_seconds=0.01)  # type: ignore[arg-type]
    task = asyncio.create_task(loop.run())
    await worker.next_step()
    clock.moment += timedelta(hours=1)
    await worker.next_step()
    assert worker.steps[1] - worker.steps[0] == timedelta(hours=1)
    task.cancel()


async def test_a_failure_is_counted_and_the_loop_goes_on_and_closes_its_worker() -> None:
    clock = HandClock()
    worker = Worker(clock)
    worker.answers = [LookupError("no"), LookupError("no"), None]
    closed = asyncio.Event()

    async def close() -> None:
        closed.set()

    loop = Loop("test", worker.step, clock, idle_seconds=0.001, close=close)  # type: ignore[arg-type]
    task = asyncio.create_task(loop.run())
    for _ in range(3):
        await worker.next_step()
    assert loop.errors == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()
