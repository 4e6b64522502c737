"""Statements about any number of rows. They are given the rows as one parameter.

    end = Bulk(
        lambda ended: update(deliveries).values(state=ended.c.state).where(deliveries.c.id == ended.c.id),
        id=BigInteger, state=Text,
    )
    end.write(connection, [(1, "delivered"), (2, "failed")])

With a statement for each row, each row would be a journey to PostgreSQL. With a list of parameters, each length would
be another statement, which has to be compiled. So the rows go as one JSON text, and both databases read it as a table.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Subquery,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ClauseElement

from bakong_service.storage.engine.prepared import Prepared, compiled

_ROWS = "rows"
Kind = type[BigInteger] | type[Integer] | type[Text]
GivenRow = Sequence[int | str | None]


class Bulk:
    """A statement that `build` makes from a table of given rows, and that is compiled once for each kind of database.

    `columns` are the columns of that table: a row has its values in this order, and a moment as microseconds. Other
    parameters of the statement are keywords of `write` and `read`.
    """

    def __init__(self, build: Callable[[Subquery], ClauseElement], **columns: Kind) -> None:
        self._build = build
        self._columns = columns
        self._prepared: dict[str, Prepared] = {}

    def write(self, connection: Connection, rows: Sequence[GivenRow], **values: Any) -> int:
        """Run the statement. Return how many rows it wrote."""
        return self._of(connection.dialect).write(connection, {_ROWS: json.dumps(rows), **values})

    def read(self, connection: Connection, rows: Sequence[GivenRow], **values: Any) -> list[list[Any]]:
        """Run the statement. Return its rows."""
        return self._of(connection.dialect).rows(connection, {_ROWS: json.dumps(rows), **values})

    def _of(self, dialect: Dialect) -> Prepared:
        found = self._prepared.get(dialect.name)
        if found is None:
            found = self._prepared[dialect.name] = compiled(dialect, self._build(self._given(dialect)))
        return found

    def _given(self, dialect: Dialect) -> Subquery:
        """Return the table of given rows, as a query over the JSON text."""
        text = bindparam(_ROWS, type_=Text)
        columns: list[ColumnElement[Any]] = []
        if dialect.name == "postgresql":
            row = func.json_array_elements(cast(text, JSON)).table_valued("value").c.value
            for at, (name, kind) in enumerate(self._columns.items()):
                columns.append(cast(row.op("->>")(literal_column(f"{at}")), kind).label(name))
        else:
            row = func.json_each(text).table_valued("value").c.value
            for at, (name, kind) in enumerate(self._columns.items()):
                columns.append(func.json_extract(row, literal_column(f"'$[{at}]'"), type_=kind).label(name))
        return select(*columns).subquery("given")
