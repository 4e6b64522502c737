"""PostgreSQL: SQLAlchemy Core over asyncpg, a pool of ten, and a connection that listens."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import stamina
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bakong_service.storage.executor import ATTEMPTS, DatabaseUnavailable, Listener, Operation, identifiers_met

T = TypeVar("T")

_POOL = 10
_LISTEN_AGAIN_SECONDS = 1.0
_SESSION = {
    "application_name": "bakong-service",
    "statement_timeout": "5000",
    "idle_in_transaction_session_timeout": "10000",
    "timezone": "UTC",
}
_CONCURRENCY = {"40001", "40P01"}  # serialization_failure, deadlock_detected
_SHUTDOWN = {"57P01", "57P02", "57P03", "53300"}  # the server goes, comes, or has no place


class _TryAgain(Exception):  # noqa: N818 - never leaves this file
    """The transaction failed for a reason that passes; the cause says which."""


class PostgresqlExecutor:
    """Runs operations on a PostgreSQL database; see `executor.Executor` for the promises."""

    dialect = "postgresql"

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql+asyncpg")
        self._engine: AsyncEngine = create_async_engine(
            self._url, pool_size=_POOL, max_overflow=0, pool_timeout=5, connect_args={"server_settings": _SESSION}
        )
        # A statement sees what is committed, within a transaction or without: a point query needs no BEGIN.
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._ear: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar_one())
        self._ear = asyncio.create_task(self._listen(), name="postgresql-listen")

    async def close(self) -> None:
        if self._ear is not None:
            self._ear.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ear
            self._ear = None
        await self._engine.dispose()

    async def run(self, operation: Operation[T], *, committed: Operation[T | None] | None = None) -> T:
        async def once() -> T:
            committing = False
            try:
                async with self._engine.connect() as connection:
                    transaction = await connection.begin()
                    result = await connection.run_sync(operation)
                    committing = True
                    await transaction.commit()
                    return result
            except (DBAPIError, OSError, PoolTimeout, asyncpg.InterfaceError) as error:
                if committing and _lost(error):
                    if committed is not None and (found := await self.read(committed)) is not None:
                        return found
                    if committed is None:
                        raise DatabaseUnavailable(
                            "the connection was lost during the commit", outcome_unknown=True
                        ) from error
                if _passes(error):
                    raise _TryAgain from error
                raise

        return await self._again(once)

    async def read(self, query: Operation[T], *, many: bool = False) -> T:
        engine = self._engine if many else self._reading  # a cursor, for a long answer, lives in a transaction

        async def once() -> T:
            try:
                async with engine.connect() as connection:
                    return await connection.run_sync(query)
            except (DBAPIError, OSError, PoolTimeout, asyncpg.InterfaceError) as error:
                if _passes(error):
                    raise _TryAgain from error
                raise

        return await self._again(once)

    async def _again(self, once: Callable[[], Awaitable[T]]) -> T:
        try:
            return await once()  # nearly always: a retrier costs as much as a query
        except _TryAgain:
            pass
        caller = stamina.AsyncRetryingCaller(
            attempts=ATTEMPTS - 1, timeout=None, wait_initial=0.02, wait_max=0.5, wait_jitter=0.05
        )
        try:
            return await caller(_TryAgain, once)
        except _TryAgain as error:
            raise DatabaseUnavailable(f"the database doesn't answer: {error.__cause__}") from error.__cause__

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        self._listeners[channel].append(listener)
        return lambda: self._listeners[channel].remove(listener)

    async def _listen(self) -> None:
        """Keep one connection listening on every channel; what is missed while it is away, the listeners poll for."""
        from bakong_service.storage import signals

        dsn = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            connection = None
            try:
                connection = await asyncpg.connect(dsn)
                gone = asyncio.Event()
                connection.add_termination_listener(lambda _connection, gone=gone: gone.set())
                for channel in signals.CHANNELS:
                    await connection.add_listener(channel, self._hear)
                await gone.wait()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                pass  # the database is away: whoever needs it says so
            finally:
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(_LISTEN_AGAIN_SECONDS)

    def _hear(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        for listener in list(self._listeners[channel]):
            listener(payload)


def _lost(error: BaseException) -> bool:
    return isinstance(error, (OSError, asyncpg.InterfaceError, InterfaceError)) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def _passes(error: BaseException) -> bool:
    """Whether the same transaction may go through when it is run again."""
    if isinstance(error, IntegrityError):
        return identifiers_met(error)
    if _lost(error) or isinstance(error, (PoolTimeout, OperationalError)):
        return True
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _CONCURRENCY | _SHUTDOWN
