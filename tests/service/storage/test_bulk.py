"""A statement about any number of rows, on both databases."""

import pytest
from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, Table, Text, bindparam, insert, select, update

from bakong_service.storage.engine.bulk import Bulk
from bakong_service.storage.engine.executor import Executor

pytestmark = pytest.mark.anyio

things = Table(
    "things",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("size", Integer),
    Column("name", Text),
)
ADD = Bulk(
    lambda given: insert(things).from_select(["id", "size", "name"], select(*given.c)),
    id=BigInteger,
    size=Integer,
    name=Text,
)
RENAME = Bulk(
    lambda given: (
        update(things)
        .where(things.c.id == given.c.id, things.c.size > bindparam("least"))
        .values(name=given.c.name, size=things.c.size + 1)
    ),
    id=BigInteger,
    name=Text,
)
FIND = Bulk(
    lambda given: (
        select(things.c.id, things.c.size, things.c.name).join(given, things.c.id == given.c.id).order_by(things.c.id)
    ),
    id=BigInteger,
)
ROWS: list[tuple[int, int | None, str | None]] = [
    (1, 10, "plain"),
    (2, None, None),
    (2**63 - 1, -(2**31), "កាហ្វេ 'quoted' \"twice\" \\ \n 😀"),
    (4, 0, ""),
]


@pytest.fixture
async def executor(executor: Executor) -> Executor:
    await executor.run(lambda connection: things.create(connection))
    return executor


async def test_rows_are_written_as_they_are_given(executor: Executor) -> None:
    assert await executor.run(lambda connection: ADD.write(connection, ROWS)) == len(ROWS)
    stored = await executor.read(lambda c: [tuple(row) for row in c.execute(select(things).order_by(things.c.id))])
    assert stored == sorted(ROWS, key=lambda row: row[0])


async def test_only_the_given_rows_are_changed_and_counted(executor: Executor) -> None:
    await executor.run(lambda connection: ADD.write(connection, ROWS))
    changes = [(1, "one"), (4, "four"), (5, "nobody")]
    assert await executor.run(lambda connection: RENAME.write(connection, changes, least=0)) == 1

    def found(connection: Connection) -> list[list[object]]:
        return FIND.read(connection, [(4,), (1,), (3,)])

    assert await executor.read(found) == [[1, 11, "one"], [4, 0, ""]]


async def test_of_no_rows_nothing_is_done(executor: Executor) -> None:
    assert await executor.run(lambda connection: ADD.write(connection, [])) == 0
    assert await executor.run(lambda connection: RENAME.write(connection, [], least=0)) == 0
    assert await executor.read(lambda connection: FIND.read(connection, [])) == []
