"""Inserting a row unless its key is taken: the database decides, nobody looks first."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert `row`; False where a unique key of it is taken, and then nothing is written.

    Safe inside a transaction: an `IntegrityError` would end it on PostgreSQL, a conflict that does nothing doesn't.
    """
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    inserted = connection.execute(dialect.insert(table).on_conflict_do_nothing().inline(), dict(row))
    return inserted.rowcount == 1
