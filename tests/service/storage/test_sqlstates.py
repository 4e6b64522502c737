"""Every error of PostgreSQL that is trouble, raised by a real server: it is a `DatabaseUnavailable`, tried again if
that may help, and a connection that may be damaged or leads to the wrong server is thrown away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from attrs import evolve
from sqlalchemy import Connection, func, insert, make_url, select
from sqlalchemy.exc import DBAPIError

from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.storage.engine.postgresql import PostgresqlExecutor
from bakong_service.storage.engine.postgresql_link import Timeouts
from bakong_service.storage.engine.sqlstates import TROUBLES, trouble
from bakong_service.storage.schema import plans

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)

# SQLSTATE: how often it is tried, and how many of the two connections in the pool live on.
KINDS = {
    "08000": (3, 0), "08003": (3, 0), "08006": (3, 0), "08P01": (3, 0),
    "25006": (3, 0), "25P02": (3, 1), "25P03": (3, 1), "25P04": (1, 1), "26000": (3, 1),
    "28000": (1, 1), "28P01": (1, 1), "3D000": (1, 1),
    "40001": (3, 2), "40003": (1, 1), "40P01": (3, 2), "42501": (1, 2),
    "53000": (1, 1), "53100": (1, 1), "53200": (3, 1), "53300": (3, 1), "53400": (1, 1),
    "55P03": (1, 2), "57014": (1, 2),
    "57P01": (3, 0), "57P02": (3, 0), "57P03": (3, 0), "57P04": (3, 0), "57P05": (3, 0),
    "58000": (3, 1), "58030": (3, 1), "58P01": (3, 1),
    "XX000": (3, 1), "XX001": (3, 1), "XX002": (3, 1),
}  # fmt: skip
IN_DOUBT = ("08", "25P03", "25P04", "40003", "57P0", "58", "XX")
OURS = (
    "0A000",
    "22001",
    "22003",
    "22021",
    "23502",
    "23505",
    "23514",
    "25001",
    "40002",
    "42601",
    "42703",
    "42P01",
    "P0001",
)


@pytest.fixture
async def near(postgresql_url: str) -> AsyncIterator[PostgresqlExecutor]:
    """An executor on this test's database, without any link between, that waits for two seconds at most."""
    executor = PostgresqlExecutor(make_url(postgresql_url), Timeouts(statement=0.3, answer=2.0, idle=5.0))
    yield executor
    await executor.close()


def row() -> dict[str, Any]:
    return {
        "id": uuid4().int >> 65, "code": uuid4().hex, "version": 1, "name": "Plan", "price_minor": 50,
        "currency": "USD", "cadence": "PT1S", "created_at": NOW,
    }  # fmt: skip


def write(connection: Connection) -> None:
    connection.execute(insert(plans).inline(), row())


def fail(connection: Connection, sqlstate: str) -> None:
    connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$")


async def count(executor: PostgresqlExecutor) -> int:
    return await executor.read(lambda c: c.execute(select(func.count()).select_from(plans)).scalar_one())


async def two_sessions(executor: PostgresqlExecutor) -> set[int]:
    """The server's processes behind two connections of the pool, which are in use at the same time."""

    def session(connection: Connection) -> int:
        return int(connection.exec_driver_sql("SELECT pg_backend_pid() FROM pg_sleep(0.05)").scalar_one())

    return set(await asyncio.gather(executor.run(session), executor.run(session)))


def test_every_row_of_the_table_has_a_case() -> None:
    assert {row for row in TROUBLES if not any(kind.startswith(row) for kind in KINDS)} == set()


@pytest.mark.parametrize("sqlstate", KINDS)
async def test_trouble_is_told_as_such_and_tried_as_often_as_it_may_help(
    near: PostgresqlExecutor, sqlstate: str
) -> None:
    attempts = 0

    def fails(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        write(connection)
        fail(connection, sqlstate)

    with pytest.raises(DatabaseUnavailable) as raised:
        await near.run(fails)
    assert (raised.value.sqlstate, raised.value.outcome_unknown) == (sqlstate, False)
    with pytest.raises(DatabaseUnavailable):
        await near.read(lambda connection: fail(connection, sqlstate))
    assert (attempts, await count(near)) == (KINDS[sqlstate][0], 0)


@pytest.mark.parametrize("sqlstate", KINDS)
async def test_a_connection_that_trouble_came_on_is_thrown_away_if_it_may_come_again(
    near: PostgresqlExecutor, sqlstate: str
) -> None:
    before, attempts = await two_sessions(near), []
    assert len(before) == 2

    def fails_once(connection: Connection) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            fail(connection, sqlstate)
        write(connection)

    tried, living = KINDS[sqlstate]
    if tried == 1:
        with pytest.raises(DatabaseUnavailable):
            await near.run(fails_once)
    else:
        await near.run(fails_once)
    assert await count(near) == (tried > 1)
    assert len(before & await two_sessions(near)) == living


@pytest.mark.parametrize("sqlstate", KINDS)
async def test_a_commit_that_is_answered_with_trouble_is_never_guessed(near: PostgresqlExecutor, sqlstate: str) -> None:
    def arm(connection: Connection) -> None:
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON plans DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION refuse()"
        )

    await near.run(arm)
    with pytest.raises(DatabaseUnavailable) as raised:
        await near.run(write)
    assert raised.value.outcome_unknown is sqlstate.startswith(IN_DOUBT)
    assert await count(near) == 0


@pytest.mark.parametrize("sqlstate", OURS)
async def test_an_error_that_is_no_trouble_is_a_bug_and_is_tried_once(near: PostgresqlExecutor, sqlstate: str) -> None:
    attempts = []

    def fails(connection: Connection) -> None:
        attempts.append(1)
        fail(connection, sqlstate)

    with pytest.raises(DBAPIError):
        await near.run(fails)
    assert (len(attempts), trouble(sqlstate)) == (1, None)


async def test_the_message_says_what_is_wrong_without_the_values_of_the_statement(near: PostgresqlExecutor) -> None:
    def fails(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT pg_sleep(5), $1::text", ("planted",))

    with pytest.raises(DatabaseUnavailable, match="the statement waited for too long: canceling statement") as raised:
        await near.run(fails)
    assert "planted" not in str(raised.value)


class TestReadOnly:
    """A failover: for a while the server takes no writes."""

    @staticmethod
    async def administer(url: str, *statements: str) -> None:
        link = await asyncpg.connect(url)
        try:
            for statement in statements:
                await link.execute(statement)
        finally:
            await link.close()

    async def test_writes_go_on_at_once_when_the_server_takes_them_again(
        self, near: PostgresqlExecutor, postgresql_url: str
    ) -> None:
        name = make_url(postgresql_url).database
        await near.start()
        await self.administer(postgresql_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await near._engine.dispose()  # the next connections lead to a server that only reads
        await two_sessions(near)
        with pytest.raises(DatabaseUnavailable, match="the server takes no writes now"):
            await near.run(write)
        assert await count(near) == 0
        await two_sessions(near)  # connections that read wait in the pool; a write must not meet them later
        writable = "SET default_transaction_read_only = off"
        await self.administer(postgresql_url, writable, f"ALTER DATABASE {name} {writable}")
        await near.run(write)
        await asyncio.gather(*(near.run(write) for _ in range(5)))
        assert await count(near) == 6

    async def test_the_connection_that_listens_leaves_a_server_that_only_reads(
        self, postgresql_url: str, short: Timeouts
    ) -> None:
        name = make_url(postgresql_url).database
        await self.administer(postgresql_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        executor = PostgresqlExecutor(make_url(postgresql_url), evolve(short, connect=5.0, answer=5.0))
        async with asyncio.timeout(20):
            await executor._listen_on_one()  # it returns, to be called again


async def test_a_table_that_is_locked_is_trouble(near: PostgresqlExecutor, postgresql_url: str) -> None:
    link = await asyncpg.connect(postgresql_url)
    try:
        async with link.transaction():
            await link.execute("LOCK TABLE plans")
            with pytest.raises(DatabaseUnavailable, match="the statement waited for too long") as raised:
                await near.run(write)
            assert raised.value.waited_in == ""
    finally:
        await link.close()
    await near.run(write)


async def test_a_table_that_was_changed_while_it_was_used_is_asked_again(
    near: PostgresqlExecutor, postgresql_url: str
) -> None:
    everything = "SELECT * FROM plans"
    for asking in (near.read, near.run):
        assert await asking(lambda c: c.exec_driver_sql(everything).all()) == []
        link = await asyncpg.connect(postgresql_url)
        await link.execute(f"ALTER TABLE plans ADD COLUMN c{uuid4().hex} integer")
        await link.close()
        assert await asking(lambda c: c.exec_driver_sql(everything).all()) == []
