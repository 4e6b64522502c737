"""Statements are compiled once per kind of database, and not again for each test.

Every test has its own database and so its own engine, and SQLAlchemy compiles each statement anew for each engine. That
took a third of the time of these tests.
"""

from collections.abc import Hashable
from typing import Any

from sqlalchemy import Connection, Engine, event


class _ByKindOfDatabase(dict[tuple[Hashable, ...], Any]):
    """SQLAlchemy's keys begin with an engine's own dialect; here the name of its driver stands in its place."""

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get((key[0].driver, *key[1:]), default)

    def __setitem__(self, key: tuple[Any, ...], value: Any) -> None:
        super().__setitem__((key[0].driver, *key[1:]), value)


_COMPILED = _ByKindOfDatabase()


def share_compiled_statements() -> None:
    """Let every engine of this process use the same compiled statements."""

    @event.listens_for(Engine, "engine_connect")
    def use(connection: Connection) -> None:
        connection.execution_options(compiled_cache=_COMPILED)
