"""Rows that an operation writes together go to PostgreSQL in one statement, because each statement is a journey.

    with together(connection):
        payments.add(connection, payment)
        history.write_payment(connection, ...)

SQLite is in the same process: there each row is written at once.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from bakong_service.storage.engine.prepared import Prepared

_WAITING = "written_together"
_PARAMETER = re.compile(r"\$(\d+)")


@contextmanager
def together(connection: Connection) -> Iterator[None]:
    """Write at the end of the block what the block gives to `write`. The block must not read it, nor change it."""
    if connection.dialect.name != "postgresql":
        yield
        return
    info = connection.info  # a broken connection doesn't give it any more
    info[_WAITING] = []
    try:
        yield
        _send(connection)
    finally:
        info.pop(_WAITING, None)


def write(connection: Connection, statement: Prepared, values: Mapping[str, Any]) -> None:
    """Run a statement whose answer nobody needs. Within `together`, run it with the others."""
    waiting = connection.info.get(_WAITING)
    if waiting is None:
        statement.write(connection, values)
        return
    waiting.append((statement, statement.given(values)))
    if not statement.is_insert:
        _send(connection)  # PostgreSQL runs an INSERT below WITH in any case, and a SELECT only as the last one


def _send(connection: Connection) -> None:
    waiting, connection.info[_WAITING] = connection.info[_WAITING], []
    if waiting:
        joined = _joined(tuple(statement for statement, _ in waiting))
        joined.run(connection, tuple(value for _, given in waiting for value in given)).close()


@lru_cache(maxsize=64)
def _joined(statements: tuple[Prepared, ...]) -> Prepared:
    """Return one statement for several: `WITH a AS (INSERT ...), b AS (INSERT ...) SELECT ...`."""
    texts: list[str] = []
    before = 0
    for statement in statements:
        texts.append(_PARAMETER.sub(lambda found, by=before: f"${int(found[1]) + by}", statement.statement))  # type: ignore[misc]
        before += len(statement.places)
    *first, last = texts
    names = ", ".join(f"written_{number} AS ({text})" for number, text in enumerate(first))
    return Prepared(f"WITH {names} {last}" if first else last, (), {}, ())
