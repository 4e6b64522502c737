"""Every error of SQLite that is trouble: it is a `DatabaseUnavailable`, nothing of it is written, and when the trouble
is over the service goes on."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from bakong_service.storage.engine import sqlite
from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.storage.engine.sqlite import SqliteExecutor
from bakong_service.storage.engine.sqlite_results import TROUBLES
from bakong_service.storage.schema import plans

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
async def path(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
async def executor(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteExecutor]:
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_SECONDS", 0.05)
    executor = SqliteExecutor(str(path))
    await executor.start()
    yield executor
    await executor.close()


def write(connection: Connection, name: str = "Plan") -> None:
    row = {
        "id": uuid4().int >> 65, "code": uuid4().hex, "version": 1, "name": name, "price_minor": 50,
        "currency": "USD", "cadence": "PT1S", "created_at": NOW,
    }  # fmt: skip
    connection.execute(insert(plans).inline(), row)


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(plans)).scalar_one()


def failing(code: int) -> Callable[[Connection], None]:
    """An operation that writes a row and then meets what SQLite would raise."""

    def operation(connection: Connection) -> None:
        if not connection.exec_driver_sql("PRAGMA query_only").scalar_one():
            write(connection)
        error = sqlite3.DatabaseError("made to fail")
        error.sqlite_errorcode = code | 0x0200
        raise error

    return operation


@pytest.mark.parametrize("code", TROUBLES)
async def test_trouble_is_told_as_such_and_writes_nothing(executor: SqliteExecutor, code: int) -> None:
    with pytest.raises(DatabaseUnavailable, match=TROUBLES[code]):
        await executor.run(failing(code))
    for many in (False, True):
        with pytest.raises(DatabaseUnavailable, match=TROUBLES[code]):
            await executor.read(failing(code), many=many)
        assert await executor.read(count, many=many) == 0
    await executor.run(write)
    assert await executor.read(count) == 1


async def test_an_error_that_is_no_trouble_is_a_bug(executor: SqliteExecutor) -> None:
    for many in (False, True):
        with pytest.raises(OperationalError, match="no such column"):
            await executor.read(lambda c: c.exec_driver_sql("SELECT no_such_column"), many=many)
    with pytest.raises(OperationalError, match="no such column"):
        await executor.run(lambda c: c.exec_driver_sql("SELECT no_such_column"))
    with pytest.raises(IntegrityError):
        await executor.run(lambda c: c.exec_driver_sql("INSERT INTO plans (id) VALUES (1)"))


async def test_a_file_that_another_process_writes_for_too_long_is_busy(executor: SqliteExecutor, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match="another process held the file's lock for too long"):
            await executor.run(write)
        assert await executor.read(count) == 0
        other.execute("ROLLBACK")
    await executor.run(write)
    assert await executor.read(count) == 1


async def test_a_full_disk_fails_the_write_and_is_over_when_there_is_space(executor: SqliteExecutor) -> None:
    def fill(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        write(connection, name="n" * 100_000)

    with pytest.raises(DatabaseUnavailable, match="the disk is full"):
        await executor.run(fill)
    await executor.run(write)  # on a connection of its own, which has no such limit
    assert await executor.read(count) == 1


async def test_a_file_that_takes_no_writes_is_told_and_is_over_when_it_does(executor: SqliteExecutor) -> None:
    def forbid(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")
        write(connection)

    with pytest.raises(DatabaseUnavailable, match="the file takes no writes now"):
        await executor.run(forbid)
    await executor.run(write)
    assert await executor.read(count) == 1


@pytest.mark.parametrize(("garbage", "reason"), [(0, "isn't a SQLite database"), (100, "the file is damaged")])
async def test_a_damaged_file_is_told_at_once(path: Path, garbage: int, reason: str) -> None:
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(garbage)
        file.write(b"\xff" * (size - garbage))
    executor: Any = SqliteExecutor(str(path))
    try:
        with pytest.raises(DatabaseUnavailable, match=reason):
            await executor.start()
    finally:
        await executor.close()
