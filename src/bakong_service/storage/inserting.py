"""Inserting a row, and inserting it unless its key is taken: the database decides, nobody looks first.

Every payment writes half a dozen rows. SQLAlchemy takes longer to prepare one than the database to write it, so each
statement is compiled once and then goes to the driver as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler


def insert_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert `row`; a column that it doesn't name gets the schema's default."""
    _compiled(connection.dialect, table, tuple(row), None).run(connection, row)


def insert_new(
    connection: Connection, table: Table, row: Mapping[str, Any], *, key: Sequence[str] | None = None
) -> bool:
    """Insert `row`; False where a unique key of it is taken, and then nothing is written.

    With `key`, the columns of one, only that key may be taken: two made-up ids that meet are an error then, after which
    the executor runs the operation again. Safe inside a transaction: an `IntegrityError` that is caught would end it on
    PostgreSQL, a conflict that does nothing doesn't.
    """
    return _compiled(connection.dialect, table, tuple(row), tuple(key or ())).run(connection, row) == 1


@frozen
class _Insert:
    """A statement as the driver takes it, and for each of its places the column and how its value is kept."""

    statement: str
    places: tuple[tuple[str, Callable[[Any], Any] | None], ...]

    def run(self, connection: Connection, row: Mapping[str, Any]) -> int:
        """How many rows were written."""
        values = tuple([row[name] if kept is None else kept(row[name]) for name, kept in self.places])
        return connection.exec_driver_sql(self.statement, values).rowcount


@lru_cache(maxsize=256)
def _compiled(dialect: Dialect, table: Table, names: tuple[str, ...], key: tuple[str, ...] | None) -> _Insert:
    """The INSERT of these columns. `key` is what may be taken: nothing (None), this key, or any (empty)."""
    if key is None:
        statement = insert(table)
    else:
        of_dialect = sqlite if dialect.name == "sqlite" else postgresql
        statement = of_dialect.insert(table).on_conflict_do_nothing(index_elements=key or None)
    compiled = statement.inline().compile(dialect=dialect, column_keys=names)
    assert isinstance(compiled, SQLCompiler)
    return _Insert(
        compiled.string,
        tuple(
            (name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup or ()
        ),
    )
