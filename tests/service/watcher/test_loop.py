"""The loop that calls a worker: when it is due by the clock, when it is woken, and again after it failed."""

import asyncio
from datetime import datetime, timedelta

import pytest

from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.workers.loop import Loop
from kit.clocks import StandingClock

pytestmark = pytest.mark.anyio


class Worker:
    """Counts its steps; each test says what a step answers or raises."""

    def __init__(self, clock: StandingClock) -> None:
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
    clock, wake = StandingClock(), asyncio.Event()
    worker = Worker(clock)
    loop = Loop("test", worker.step, clock, wake)
    task = asyncio.create_task(loop.run())
    await worker.next_step()
    await asyncio.sleep(0)
    assert len(worker.steps) == 1
    assert loop.last_step_at == clock.at
    wake.set()
    await worker.next_step()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_clock_that_jumps_is_noticed() -> None:
    clock = StandingClock()
    worker = Worker(clock)
    worker.answers = [clock.at + timedelta(hours=1)]
    loop = Loop("test", worker.step, clock, idle_seconds=0.01)
    task = asyncio.create_task(loop.run())
    await worker.next_step()
    clock.later(hours=1)
    await worker.next_step()
    assert worker.steps[1] - worker.steps[0] == timedelta(hours=1)
    task.cancel()


async def test_a_failure_is_counted_and_the_loop_goes_on_and_closes_its_worker() -> None:
    clock = StandingClock()
    worker = Worker(clock)
    worker.answers = [LookupError("no"), LookupError("no"), None]
    closed = asyncio.Event()

    async def close() -> None:
        closed.set()

    loop = Loop("test", worker.step, clock, idle_seconds=0.001, close=close)
    task = asyncio.create_task(loop.run())
    for _ in range(3):
        await worker.next_step()
    assert loop.errors == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()


@pytest.mark.parametrize(
    ("error", "longest"),
    [
        (LookupError("a bug"), 60.0),
        (DatabaseUnavailable("away"), 5.0),
        (ExceptionGroup("lanes", [DatabaseUnavailable("away"), DatabaseUnavailable("away")]), 5.0),
        (ExceptionGroup("lanes", [DatabaseUnavailable("away"), LookupError("a bug")]), 60.0),
    ],
    ids=["a bug", "the database", "the database for several", "both"],
)
async def test_after_an_outage_of_the_database_a_worker_goes_on_soon(
    error: Exception, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, pauses = StandingClock(), []
    worker = Worker(clock)
    worker.answers = [error] * 12

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("bakong_service.workers.loop.asyncio.sleep", pause)
    task = asyncio.create_task(Loop("test", worker.step, clock).run())
    async with asyncio.timeout(5):
        while len(worker.steps) <= 12:
            await worker.stepped.wait()
            worker.stepped.clear()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pauses[:3] == [1.0, 2.0, min(4.0, longest)]
    assert pauses[-1] == longest
