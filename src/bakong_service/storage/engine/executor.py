"""Runs operations on either database. An operation is a plain function of a connection, and runs in one transaction.

    payment = await executor.run(lambda connection: payments.lock(connection, payment_id))

An operation never awaits, sleeps or calls the network. The executor may run it again from the start: after a lost
connection, a serialisation failure, or two equal identifiers. It must not catch an `IntegrityError`, which ends the
transaction on PostgreSQL: it writes `ON CONFLICT DO NOTHING` and looks at the row count.
"""

import re
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import IntegrityError

T = TypeVar("T")
Operation = Callable[[Connection], T]
Listener = Callable[[str], None]

ATTEMPTS = 3
POOL = 10

# The bill number is made from the id, and the MD5 from the bill number, so the database may name any of the three.
_MET = re.compile(
    r"\bpk_|\buq_payments_(bill_number|md5)\b|UNIQUE constraint failed: (\w+\.id|payments\.(bill_number|md5))\b"
)


class DatabaseUnavailable(Exception):  # noqa: N818 - what happened
    """The database can't be reached, or a transaction failed without a fault of the operation, and nothing was written.

    With `outcome_unknown` the connection was lost during the commit: the operation may have been done. `sqlstate` is
    PostgreSQL's code, if the server answered with one. `waited_in` says where an operation waited too long for
    another transaction, in the server's words: `while inserting index tuple (0,1) in relation "plans"`. It is empty
    if the operation waited for a whole table.
    """

    def __init__(
        self,
        message: str,
        *,
        outcome_unknown: bool = False,
        sqlstate: str | None = None,
        waited_in: str = "",
    ) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown
        self.sqlstate = sqlstate
        self.waited_in = waited_in


class UnfitDatabase(Exception):  # noqa: N818 - what happened
    """The database answers, but the service must not use it: it has another mode, other keys, isn't in UTF-8 ..."""


class Executor(Protocol):
    """Runs operations on a database."""

    @property
    def dialect(self) -> str:
        """`"sqlite"` or `"postgresql"`."""
        ...

    async def start(self) -> None:
        """Open the connections. Raises `DatabaseUnavailable`, `UnfitDatabase`."""
        ...

    async def close(self) -> None:
        """Finish the running operations and close the connections."""
        ...

    async def run(
        self, operation: Operation[T], *, committed: Operation[T | None] | None = None, patient: bool = False
    ) -> T:
        """Run `operation` in its own transaction, commit, and return the result. An error rolls back and is raised.

        If the answer to the commit is lost, `committed` looks whether it was done, and returns the result. If it
        returns None, `operation` is run again. The first commit may still arrive then, so such an operation must first
        insert a unique key: only one of the two attempts can. `patient` has no limit of time, for a migration.
        """
        ...

    async def read(self, query: Operation[T], *, many: bool = False, patient: bool = False) -> T:
        """Run a query that writes nothing.

        `many` says that it may take long, or fetches its rows part by part, so that it must not delay anything else.
        `patient` is for a query over the whole database, and has no limit of time.
        """
        ...

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each payload that is signalled on `channel`, after its commit. Return how to stop that.

        A signal may be lost, so a listener polls as well.
        """
        ...


def identifiers_met(error: IntegrityError) -> bool:
    """Return whether two rows got the same identifier, so that the operation may be run again with a new one."""
    return _MET.search(str(error.orig)) is not None


def connect(database_url: str, *, pool: int = POOL) -> Executor:
    """Return the executor for `sqlite:///file` or `postgresql://user@host/name`. Raises `ValueError` for other URLs.

    `pool` is the number of connections to PostgreSQL that work at once.
    """
    url = make_url(database_url)
    match url.get_backend_name():
        case "sqlite":
            from bakong_service.storage.engine.sqlite import SqliteExecutor

            return SqliteExecutor(url.database or "")
        case "postgresql":
            from bakong_service.storage.engine.postgresql import PostgresqlExecutor

            return PostgresqlExecutor(url, pool=pool)
        case other:
            raise ValueError(f"DATABASE_URL starts with {other!r}; it may start with sqlite:/// or postgresql://")
