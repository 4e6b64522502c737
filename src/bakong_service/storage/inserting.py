"""Inserting a row unless its key is taken: the database decides, nobody looks first."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(
    connection: Connection, table: Table, row: Mapping[str, Any], *, key: Sequence[str] | None = None
) -> bool:
    """Insert `row`; False where a unique key of it is taken, and then nothing is written.

    With `key`, the columns of one, only that key may be taken: two made-up ids that meet are an error then, after which
    the executor runs the operation again. Safe inside a transaction: an `IntegrityError` that is caught would end it on
    PostgreSQL, a conflict that does nothing doesn't.
    """
    statement = _statement(connection.dialect.name, table, None if key is None else tuple(key))
    return connection.execute(statement, dict(row)).rowcount == 1


@cache  # making a statement costs as much as running it
def _statement(dialect_name: str, table: Table, key: tuple[str, ...] | None) -> Insert:
    dialect = sqlite if dialect_name == "sqlite" else postgresql
    statement: Insert = dialect.insert(table).on_conflict_do_nothing(index_elements=key).inline()
    return statement
