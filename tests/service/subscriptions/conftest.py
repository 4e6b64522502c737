"""A till that sells six plans."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import pytest

from bakong_service.storage.engine.executor import Executor
from kit.patience import patient
from kit.till import Till, a_desk

T = TypeVar("T")


@pytest.fixture
async def desk(executor: Executor) -> Till:
    """A shop with six plans."""
    return await a_desk(executor)


@pytest.fixture
def desk_of(database_url: str) -> Callable[[Callable[[Till], Awaitable[T]]], T]:
    """Do something at a desk from a test that isn't asynchronous itself; the desk's time is the present."""

    def run(work: Callable[[Till], Awaitable[T]]) -> T:
        async def at_a_desk() -> T:
            executor = patient(database_url)
            await executor.start()
            try:
                return await work(await a_desk(executor, at=datetime.now(UTC), sold=None))
            finally:
                await executor.close()

        return anyio.run(at_a_desk)

    return run
