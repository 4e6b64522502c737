"""What an executor promises: one call, one transaction, on either database."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import Connection, event, func, insert, select
from sqlalchemy.exc import IntegrityError

from bakong_service.storage.engine import signals
from bakong_service.storage.engine.executor import DatabaseUnavailable, Executor, connect
from bakong_service.storage.engine.sqlite import SqliteExecutor
from bakong_service.storage.schema import plans
from kit.patience import hears

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def add(number: int, *, fail: bool = False) -> Callable[[Connection], int]:
    def operation(connection: Connection) -> int:
        row = {
            "id": number, "code": uuid4().hex, "version": 1, "name": "Plan", "price_minor": 50, "currency": "USD",
            "cadence": "PT1S", "created_at": NOW,
        }  # fmt: skip
        connection.execute(insert(plans).inline(), row)
        if fail:
            raise LookupError("no")
        return number

    return operation


async def kept(executor: Executor) -> list[int]:
    return await executor.read(lambda c: list(c.execute(select(plans.c.id).order_by(plans.c.id)).scalars()))


async def test_what_an_operation_wrote_is_there_when_it_returns(executor: Executor) -> None:
    assert await executor.run(add(1)) == 1
    assert await kept(executor) == [1]
    assert await executor.read(lambda c: c.execute(select(plans.c.created_at)).scalar_one(), many=True) == NOW


async def test_an_operation_that_fails_is_taken_back_alone(executor: Executor) -> None:
    results = await asyncio.gather(
        *(executor.run(add(n, fail=n % 3 == 0)) for n in range(1, 31)), return_exceptions=True
    )
    assert [isinstance(r, LookupError) for r in results] == [n % 3 == 0 for n in range(1, 31)]
    assert await kept(executor) == [n for n in range(1, 31) if n % 3]


async def test_an_operation_that_finds_no_next_one_fails_and_holds_nobody_up(executor: Executor) -> None:
    def none_left(_: Connection) -> int:
        return next(iter(()))

    async with asyncio.timeout(10):
        asked = (
            executor.run(none_left),
            executor.run(add(1)),
            executor.read(none_left),
            executor.read(none_left, many=True),
        )
        results = await asyncio.gather(*asked, return_exceptions=True)
    assert results[1] == 1
    assert all(isinstance(results[place], RuntimeError) for place in (0, 2, 3)), results


async def test_identifiers_that_met_are_made_again(executor: Executor) -> None:
    await executor.run(add(7))
    numbers = iter([7, 7, 8])
    assert await executor.run(lambda c: add(next(numbers))(c)) == 8


async def test_what_fails_for_a_reason_of_its_own_is_tried_once(executor: Executor) -> None:
    attempts = []

    def refused(connection: Connection) -> None:
        attempts.append(add(1)(connection))
        connection.exec_driver_sql("INSERT INTO plans (id) VALUES (2)")  # without all that must be there

    with pytest.raises(IntegrityError):
        await executor.run(refused)

    def fails(connection: Connection) -> None:
        attempts.append(2)
        add(3, fail=True)(connection)

    with pytest.raises(LookupError):
        await executor.run(fails)
    assert (attempts, await kept(executor)) == ([1, 2], [])


async def test_a_signal_comes_after_the_commit_and_never_without_one(executor: Executor) -> None:
    await hears(executor, signals.PAYMENTS)
    heard: asyncio.Queue[str] = asyncio.Queue()
    stop = executor.listen(signals.PAYMENTS, heard.put_nowait)

    def failing(connection: Connection) -> None:
        signals.signal(connection, signals.PAYMENTS, "never")
        raise LookupError

    with pytest.raises(LookupError):
        await executor.run(failing)
    await executor.run(lambda c: signals.signal(c, signals.PAYMENTS, "pay_1"))
    assert await asyncio.wait_for(heard.get(), 5) == "pay_1"
    stop()


async def test_a_group_whose_commit_fails_leaves_nothing_and_fails_everybody(sqlite_url: str) -> None:
    executor = connect(sqlite_url)
    assert isinstance(executor, SqliteExecutor)
    await executor.start()

    def refuse(connection: Connection) -> None:
        raise OSError("disk full")

    event.listen(executor._writer, "commit", refuse)
    results = await asyncio.gather(*(executor.run(add(n)) for n in range(1, 9)), return_exceptions=True)
    assert all(isinstance(r, DatabaseUnavailable) for r in results)
    assert await kept(executor) == []
    event.remove(executor._writer, "commit", refuse)
    await executor.run(add(9))
    assert await kept(executor) == [9]
    await executor.close()


async def test_a_group_whose_transaction_sqlite_ended_fails_everybody(sqlite_url: str) -> None:
    executor = connect(sqlite_url)
    await executor.start()
    first = executor.run(add(1))

    def ends_the_transaction(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")

    results = await asyncio.gather(
        first, executor.run(ends_the_transaction), executor.run(add(2)), return_exceptions=True
    )
    lost = [r for r in results if isinstance(r, BaseException)]
    assert len(await kept(executor)) == 3 - len(lost)
    assert isinstance(results[1], DatabaseUnavailable)
    await executor.run(add(3))
    await executor.close()


async def test_reads_write_nothing(sqlite_url: str) -> None:
    executor = connect(sqlite_url)
    await executor.start()
    with pytest.raises(DatabaseUnavailable, match="readonly"):
        await executor.read(add(1))
    assert await executor.run(lambda c: c.execute(select(func.count()).select_from(plans)).scalar_one()) == 0
    await executor.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y"])
def test_a_database_that_would_forget_or_is_not_ours_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"file|sqlite:///"):
        connect(url)
