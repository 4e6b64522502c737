"""Statements that are compiled once and then sent to the driver as they are.

SQLAlchemy needs longer to prepare a statement and to describe its rows than the database needs to answer a point query.
So the few statements that every request sends are compiled once from the same tables. Their values and rows are
converted as SQLAlchemy would convert them. Every other statement goes through SQLAlchemy.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, Select
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

_Convert = Callable[[Any], Any]


def plain(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of columns as Python keeps the names of attributes and arguments.

    SQLAlchemy's own names are of another class, so Python compares them letter by letter. To make a payment from a row,
    that is a thousand comparisons.
    """
    return tuple(sys.intern(str(name)) for name in names)


@frozen(eq=False)
class Prepared:
    """A statement in the words of one driver.

    `places` are its parameters in their order: the name of each, and how the driver takes its value. `own` are the
    values that the statement has itself. `columns` are the columns of its rows that have to be converted.
    """

    statement: str
    places: tuple[tuple[str, _Convert | None], ...]
    own: Mapping[str, Any]
    columns: tuple[tuple[int, _Convert], ...]

    def write(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Run the statement. Return how many rows it wrote."""
        cursor = self.run(connection, self.given(values))
        count: int = cursor.rowcount
        cursor.close()
        return count

    def first(self, connection: Connection, values: Mapping[str, Any]) -> list[Any] | None:
        """Run the statement. Return its first row; None if there is none."""
        cursor = self.run(connection, self.given(values))
        found = cursor.fetchone()
        cursor.close()
        return None if found is None else self._converted(found)

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[list[Any]]:
        """Run the statement. Return its rows."""
        cursor = self.run(connection, self.given(values))
        found = [self._converted(row) for row in cursor.fetchall()]
        cursor.close()
        return found

    def _converted(self, found: Iterable[Any]) -> list[Any]:
        """Return a row of the driver's with its values as SQLAlchemy would convert them."""
        row = list(found)
        for at, convert in self.columns:
            if row[at] is not None:  # NULL is None in every type
                row[at] = convert(row[at])
        return row

    @property
    def is_insert(self) -> bool:
        """Return whether the statement inserts rows."""
        return self.statement.startswith("INSERT")

    def given(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values as the driver takes them, in the order of the parameters."""
        if self.own:
            values = {**self.own, **values}
        given = []
        for name, convert in self.places:
            value = values[name]
            given.append(value if convert is None or value is None else convert(value))  # None is NULL in every type
        return tuple(given)

    def run(self, connection: Connection, given: tuple[Any, ...]) -> Any:
        """Run the statement. Return the driver's cursor, which the caller closes."""
        statement, cursor = self.statement, None
        for listener in connection.dispatch.before_cursor_execute:  # whoever watches statements sees these too
            statement, given = listener(connection, cursor, statement, given, None, False)
        try:
            cursor = connection.connection.cursor()
            cursor.execute(statement, given)
        except BaseException as error:  # noqa: BLE001 - raised again, as SQLAlchemy raises the errors of its own calls
            # Nothing public wraps a driver's error, tells the executor's listener, and discards a broken connection.
            connection._handle_dbapi_exception(error, statement, given, cursor, None)  # noqa: SLF001
        return cursor


def compiled(dialect: Dialect, statement: ClauseElement, names: tuple[str, ...] | None = None) -> Prepared:
    """Return a Core statement in the words of a dialect. `names` are the columns of an INSERT that get a value."""
    found = statement.compile(dialect=dialect, column_keys=names)
    assert isinstance(found, SQLCompiler)
    binds = [(name, found.binds[name]) for name in plain(found.positiontup or ())]
    columns = statement.selected_columns if isinstance(statement, Select) else ()
    readers = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    return Prepared(
        found.string,
        tuple((name, bind.type.dialect_impl(dialect).bind_processor(dialect)) for name, bind in binds),
        {name: bind.value for name, bind in binds if not bind.required},
        tuple((at, reader) for at, reader in enumerate(readers) if reader is not None),
    )


prepared = lru_cache(maxsize=256)(compiled)
"""`compiled`, kept for each dialect and statement. A statement is known by its identity: make it once."""
