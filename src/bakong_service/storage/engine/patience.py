"""How long a request waits for PostgreSQL. Workers wait longer, because nobody waits for them."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from attrs import frozen
from sqlalchemy import Connection

from bakong_service.storage.engine.executor import DatabaseUnavailable, Executor, Listener, Operation

T = TypeVar("T")

SECONDS = 5.5
"""Longer than the server's own limit for a statement (5 s), so that a slow answer isn't taken for none. A link that
swallows everything is noticed by this limit alone. Closing a silent connection takes two seconds more."""


@frozen(eq=False)
class PatientFor:
    """An executor whose callers wait for `seconds`, and then get `DatabaseUnavailable`.

    The connection that doesn't answer is closed, so that its place in the pool is free for the next request. If that
    happens during a commit, nobody knows whether it was done: a caller with an idempotency key asks again.
    """

    inner: Executor
    seconds: float = SECONDS

    @property
    def dialect(self) -> str:
        """The database's name, as the inner executor has it."""
        return self.inner.dialect

    async def start(self) -> None:
        """Open the connections."""
        await self.inner.start()

    async def close(self) -> None:
        """Close the connections."""
        await self.inner.close()

    async def run(
        self, operation: Operation[T], *, committed: Operation[T | None] | None = None, patient: bool = False
    ) -> T:
        """Run an operation in its own transaction, as `Executor.run` does."""
        if patient:
            return await self.inner.run(operation, committed=committed, patient=True)
        try:
            async with asyncio.timeout(self.seconds):
                return await self.inner.run(operation, committed=committed)
        except TimeoutError as error:
            raise DatabaseUnavailable(self._message, outcome_unknown=True) from error

    async def read(self, query: Operation[T], *, many: bool = False, patient: bool = False) -> T:
        """Run a query that writes nothing, as `Executor.read` does."""
        if patient:
            await self.read(_nothing)  # whether the database answers at all is learnt soon
            return await self.inner.read(query, many=many, patient=True)
        try:
            async with asyncio.timeout(self.seconds):
                return await self.inner.read(query, many=many)
        except TimeoutError as error:
            raise DatabaseUnavailable(self._message) from error

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each payload that is signalled on `channel`."""
        return self.inner.listen(channel, listener)

    @property
    def _message(self) -> str:
        return f"the database didn't answer within {self.seconds:g} s"


def _nothing(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT 1")


def for_requests(executor: Executor) -> Executor:
    """Return the executor that requests use. SQLite has no link that could break, and its writer can't be given up."""
    return PatientFor(executor) if executor.dialect == "postgresql" else executor
