"""Copies a database of the service to another one, also from SQLite to PostgreSQL or back.

The rows go over as they are stored, table by table, a thousand in one transaction. Until the copy is whole, the target
has a revision that no service works with, which names the source: a copy that was interrupted goes on when it is
started again, and nobody takes half a copy for a database. At the end every row of both is compared.
"""

import hashlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec
from attrs import define, frozen
from sqlalchemy import Column, Connection, MetaData, Select, Table, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import Integer, TypeDecorator

from bakong_service.storage import migrations
from bakong_service.storage.backups.contents import LedgerSum, balance_sums, is_empty, ledger_sums
from bakong_service.storage.backups.quiet import named, quiet
from bakong_service.storage.backups.refused import CopyRefused, Progress
from bakong_service.storage.engine import opening
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.schema import database_mode, metadata, sealing_keys

Row = tuple[Any, ...]

ROWS_AT_ONCE = 1_000


@frozen(kw_only=True)
class Copied:
    """A copy that is whole, and equal to its source."""

    rows: dict[str, int]  # by table
    ledger: list[LedgerSum]


@define
class _Digest:
    """A number that two tables have in common if they have the same rows, in whatever order."""

    rows: int = 0
    sum: int = 0

    def add(self, rows: list[Row]) -> None:
        self.rows += len(rows)
        for row in rows:
            digest = hashlib.blake2b(msgspec.msgpack.encode(row), digest_size=16).digest()
            self.sum = (self.sum + int.from_bytes(digest, "big")) % 2**128


async def copy(source_url: str, target_url: str, progress: Progress) -> Copied:
    """Copy every row of the source into the target, which is empty, or has a part of such a copy.

    Meanwhile nobody can write to the source. The caller keeps services away from SQLite files. Raises `CopyRefused` for
    a target that holds something else, for a source that a service is at work on, and if the copy isn't equal to the
    source; `SchemaMismatch`, `DatabaseUnavailable`, `UnfitDatabase`.
    """
    source = await opening.open_database(named(source_url), bring_forward=False)
    try:
        target = await opening.start(named(target_url))
        try:
            async with quiet(source_url):
                copied = await copy_rows(source, target, progress)
            await target.run(lambda connection: connection.exec_driver_sql("ANALYZE"), patient=True)
            return copied
        finally:
            await target.close()
    finally:
        await source.close()


async def copy_rows(source: Executor, target: Executor, progress: Progress) -> Copied:
    """Copy every row of a source that nobody writes to; see `copy`."""
    mark = await source.read(_mark_of)
    goes_on = await target.run(partial(_begin, mark=mark), patient=True)
    tables = [_as_stored(table) for table in metadata.sorted_tables]
    of = await source.read(partial(_count, tables=tables), patient=True)
    greatest = await target.read(partial(_greatest_ids, tables=tables), patient=True) if goes_on else {}
    done, counts = 0, dict[str, int]()
    for table in tables:
        found = _Digest()
        last = greatest.get(table.name)
        async for rows in _batches(source, table):
            found.add(rows)
            if missing := rows if last is None else [row for row in rows if row[0] > last]:
                await target.run(partial(_insert, table=table, rows=missing))
            done += len(rows)
            progress(done, of)
        await _must_be_equal(found, target, table)
        counts[table.name] = found.rows
    ledger = await _ledger_of_both(source, target)
    await target.run(partial(migrations.name_revision, revision=migrations.HEAD))
    return Copied(rows=counts, ledger=ledger)


# The mark of a copy that isn't whole


def _mark_of(connection: Connection) -> str:
    """Return the revision of half a copy of this database: its sealed proofs are random, and no other database's."""
    proofs = connection.execute(select(sealing_keys.c.proof_enc).order_by(sealing_keys.c.key_id)).scalars().all()
    since = connection.execute(select(database_mode.c.since)).scalar_one_or_none()
    if since is None or not proofs:
        raise CopyRefused("the source was never used by a service: there is nothing to copy")
    return migrations.HALF_A_COPY + hashlib.sha256(repr((since, proofs)).encode()).hexdigest()[:16]


def _begin(connection: Connection, *, mark: str) -> bool:
    """Make the tables of an empty target, and mark it. Return False; or True if a copy of this source was begun."""
    revision = migrations.current(connection)
    if revision == mark:
        return True
    if revision is not None and revision.startswith(migrations.HALF_A_COPY):
        raise CopyRefused("the target has half a copy of another database: empty it first")
    if revision is None and is_empty(connection):
        migrations.upgrade(connection)
    elif revision != migrations.HEAD or not _has_no_rows(connection):
        raise CopyRefused("the target isn't empty: a copy is made in a new database")
    migrations.name_revision(connection, mark)
    return False


def _has_no_rows(connection: Connection) -> bool:
    return all(connection.execute(select(table).limit(1)).first() is None for table in metadata.sorted_tables)


# The rows


def _as_stored(table: Table) -> Table:
    """Return the table with the types of its values in the database: nothing is decoded and written anew."""
    plain = [
        Column(
            column.name,
            column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type,
            primary_key=column.primary_key,
            autoincrement=False,
        )
        for column in table.columns
    ]
    return Table(table.name, MetaData(), *plain)


async def _batches(executor: Executor, table: Table) -> AsyncIterator[list[Row]]:
    """Yield all rows in the order of their key, a thousand at a time."""
    after: Row | None = None
    keys = [column.name for column in table.primary_key.columns]
    places = [list(table.columns.keys()).index(name) for name in keys]
    while True:
        rows = await executor.read(partial(_fetch, query=_after(table, after)), many=True)
        if rows:
            yield rows
        if len(rows) < ROWS_AT_ONCE:
            return
        after = tuple(rows[-1][place] for place in places)


def _after(table: Table, key: Row | None) -> Select[Any]:
    keys = list(table.primary_key.columns)
    query = select(table).order_by(*keys).limit(ROWS_AT_ONCE)
    return query if key is None else query.where(tuple_(*keys) > tuple_(*key, types=[column.type for column in keys]))


def _fetch(connection: Connection, *, query: Select[Any]) -> list[Row]:
    return [tuple(row) for row in connection.execute(query)]


def _insert(connection: Connection, *, table: Table, rows: list[Row]) -> None:
    of_dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = of_dialect.insert(table).on_conflict_do_nothing().inline()
    names = table.columns.keys()
    connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])


def _count(connection: Connection, *, tables: list[Table]) -> int:
    """Return how many rows the tables have together."""
    return sum(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)


def _greatest_ids(connection: Connection, *, tables: list[Table]) -> dict[str, int]:
    """Return the greatest id that the target has, by table: rows go over in the order of their ids.

    A table whose key isn't one number isn't named. Its rows are inserted again, as far as they aren't there.
    """
    found = {}
    for table in tables:
        first, *others = table.primary_key.columns
        if not others and first is next(iter(table.columns)) and isinstance(first.type, Integer):
            found[table.name] = connection.execute(select(func.coalesce(func.max(first), 0))).scalar_one()
    return found


# The comparison


async def _must_be_equal(found: _Digest, target: Executor, table: Table) -> None:
    copied = _Digest()
    async for rows in _batches(target, table):
        copied.add(rows)
    if copied != found:
        raise CopyRefused(
            f"the target's table {table.name} has other rows than the source's ({copied.rows} and {found.rows}): the "
            "source was changed after a copy was interrupted. Empty the target, and start again"
        )


async def _ledger_of_both(source: Executor, target: Executor) -> list[LedgerSum]:
    """Return the ledger's sums, which the entries and the balances of both databases must agree on."""
    ledger = await source.read(ledger_sums, patient=True)
    for executor, query in ((source, balance_sums), (target, ledger_sums), (target, balance_sums)):
        if (found := await executor.read(query, patient=True)) != ledger:
            raise CopyRefused(f"the sums of the ledger differ: {found} instead of {ledger}")
    return ledger
