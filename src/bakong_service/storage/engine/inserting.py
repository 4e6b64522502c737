"""Inserts a row, or inserts it unless its key exists. The database decides that; nothing looks first.

Every payment writes half a dozen rows. SQLAlchemy needs longer to prepare a row than the database needs to write it, so
each statement is compiled once and then sent to the driver as it is.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from bakong_service.storage.engine.prepared import Prepared, compiled
from bakong_service.storage.engine.together import write


def insert_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert `row`, within `together` with others. A column that it doesn't name gets the schema's default."""
    write(connection, _insert(connection.dialect, table, tuple(row), None), row)


def insert_new(
    connection: Connection, table: Table, row: Mapping[str, Any], *, key: Sequence[str] | None = None
) -> bool:
    """Insert `row`. Return False, and write nothing, if a unique key of the row exists already.

    `key` names the columns of the one key that may exist. Then two equal ids are an error, after which the executor
    runs the operation again. This is safe inside a transaction: on PostgreSQL an `IntegrityError` would end the
    transaction even if it is caught, but a conflict that does nothing doesn't.
    """
    return _insert(connection.dialect, table, tuple(row), tuple(key or ())).write(connection, row) == 1


@lru_cache(maxsize=256)
def _insert(dialect: Dialect, table: Table, names: tuple[str, ...], key: tuple[str, ...] | None) -> Prepared:
    """Return the INSERT of these columns. `key` is which key may exist: none (None), this one, or any (empty)."""
    if key is None:
        statement = insert(table)
    else:
        of_dialect = sqlite if dialect.name == "sqlite" else postgresql
        statement = of_dialect.insert(table).on_conflict_do_nothing(index_elements=key or None)
    return compiled(dialect, statement.inline(), names)
