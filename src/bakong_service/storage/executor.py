"""One way to run operations on either database. An operation is a plain function over a connection: one transaction.

    result = await executor.run(lambda connection: settle(connection, ..., now=now))

An operation never awaits, sleeps or calls the network, and it may be run again from the start: after a lost
connection, a serialisation failure, or two identifiers that met. It must not catch an `IntegrityError` (PostgreSQL ends
the transaction with it): write `ON CONFLICT DO NOTHING` and look at the row count.
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

# A payment's bill number is made of its id, and its MD5 of that: which of the three is named is the database's choice.
_MET = re.compile(
    r"\bpk_|\buq_payments_(bill_number|md5)\b|UNIQUE constraint failed: (\w+\.id|payments\.(bill_number|md5))\b"
)


class DatabaseUnavailable(Exception):  # noqa: N818 - what happened
    """The database can't be reached, or a transaction failed for no fault of the operation, and nothing was written.

    With `outcome_unknown` the connection was lost during the commit: the operation may have been done.
    """

    def __init__(self, message: str, *, outcome_unknown: bool = False) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown


class Executor(Protocol):
    """Runs operations on a database. Everything but `read` and `run` is for starting, stopping and waking."""

    @property
    def dialect(self) -> str:
        """`"sqlite"` or `"postgresql"`."""
        ...

    async def start(self) -> None:
        """Open the connections. Raises `DatabaseUnavailable`."""
        ...

    async def close(self) -> None:
        """Finish what is under way and close the connections."""
        ...

    async def run(
        self, operation: Operation[T], *, committed: Operation[T | None] | None = None, patient: bool = False
    ) -> T:
        """Run `operation` in a transaction of its own and commit; whatever it raises rolls it back and is raised here.

        `committed` answers, after a commit whose acknowledgement was lost, with the result if it did happen; where it
        has none, `operation` is run again. The lost commit may still be under way then, so such an operation begins by
        taking a unique key, which one of the two gets. `patient` waits for as long as it takes: for a migration.
        """
        ...

    async def read(self, query: Operation[T], *, many: bool = False, patient: bool = False) -> T:
        """Run a query that writes nothing. `many` says that it may take a while, or fetches its rows part by part: it
        must not hold up anything else. `patient` is for one over the whole database, and waits for it."""
        ...

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each payload signalled on `channel` after its commit; the answer ends it. A hint, not a
        promise: whoever listens polls as well."""
        ...


def identifiers_met(error: IntegrityError) -> bool:
    """Whether two rows were given one primary key, so that the operation may be run again with new identifiers."""
    return _MET.search(str(error.orig)) is not None


def connect(database_url: str) -> Executor:
    """The executor for `sqlite:///file` or `postgresql://user@host/name`. Raises `ValueError` for any other scheme."""
    url = make_url(database_url)
    match url.get_backend_name():
        case "sqlite":
            from bakong_service.storage.sqlite import SqliteExecutor

            return SqliteExecutor(url.database or "")
        case "postgresql":
            from bakong_service.storage.postgresql import PostgresqlExecutor

            return PostgresqlExecutor(url)
        case other:
            raise ValueError(f"DATABASE_URL starts with {other!r}; it may start with sqlite:/// or postgresql://")
