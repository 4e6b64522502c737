"""PostgreSQL: SQLAlchemy Core over asyncpg, a pool of ten, and a connection that listens.

A link can break at every moment. Before COMMIT was sent the operation is run again; after it, whether it was done is
asked of the database, or told as unknown: it is never guessed.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar
from weakref import WeakSet

import asyncpg
import stamina
import structlog
from attrs import frozen
from sqlalchemy import URL, event
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction, create_async_engine

from bakong_service.storage.executor import ATTEMPTS, DatabaseUnavailable, Listener, Operation, identifiers_met

T = TypeVar("T")

log = structlog.get_logger(__name__)

_POOL = 10
_PATIENT_SECONDS = 3600.0  # a migration of millions of rows; not for ever, for its link may break as well
_CLOSE_SECONDS = 2.0  # for taking leave of the server: a process stops within 10 s
_LISTEN_AGAIN_SECONDS = 1.0
_CONCURRENCY = {"40001", "40P01"}  # serialization_failure, deadlock_detected
_SHUTDOWN = {"57P01", "57P02", "57P03"}  # the server goes, has crashed, or is not yet there
_NO_PLACE = "53300"  # too_many_connections
_LINK = "08"  # the class of connection exceptions
_FAULTS = (DBAPIError, OSError, PoolTimeout, asyncpg.InterfaceError, asyncpg.PostgresError)


@frozen(kw_only=True)
class Timeouts:
    """How long anything may take before the link, or the transaction, is given up. Seconds."""

    connect: float = 5.0
    place: float = 5.0  # for one of the pool's connections
    statement: float = 5.0  # the server's own limit: it answers with an error that says so
    idle: float = 10.0  # the server ends a transaction of which it hears nothing
    # An answer that isn't there by now doesn't come. Longer than `idle`: when a silent link is given up, the server has
    # let go of the locks that the transaction held, and the next attempt doesn't run into them.
    answer: float = 12.0
    heartbeat: float = 15.0  # after which the connection that only listens is asked whether it lives


class _TryAgain(Exception):  # noqa: N818 - never leaves this file
    """The transaction failed for a reason that passes; the cause says which."""


class _InDoubt(Exception):  # noqa: N818 - never leaves this file
    """COMMIT was sent and not answered; the cause says why."""


class PostgresqlExecutor:
    """Runs operations on a PostgreSQL database; see `executor.Executor` for the promises."""

    dialect = "postgresql"

    def __init__(self, url: URL, timeouts: Timeouts | None = None) -> None:
        self._url = url.set(drivername="postgresql+asyncpg")
        self._timeouts = timeouts or Timeouts()
        self._links: WeakSet[asyncpg.Connection] = WeakSet()
        self._engine = self._connecting()
        # A statement sees what is committed, within a transaction or without: a point query needs no BEGIN.
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._ear: asyncio.Task[None] | None = None

    def _connecting(self, *, patient: bool = False) -> AsyncEngine:
        timeouts = self._timeouts
        engine = create_async_engine(
            self._url,
            pool_size=_POOL,
            max_overflow=0,
            pool_timeout=timeouts.place,
            connect_args={
                "timeout": timeouts.connect,
                "command_timeout": _PATIENT_SECONDS if patient else timeouts.answer,
                "server_settings": {
                    "application_name": "bakong-service",
                    "statement_timeout": "0" if patient else _milliseconds(timeouts.statement),
                    "idle_in_transaction_session_timeout": _milliseconds(timeouts.idle),
                    "timezone": "UTC",
                },
            },
        )
        event.listen(engine.sync_engine, "handle_error", _give_up_lost)
        event.listen(engine.sync_engine, "connect", lambda link, _: self._links.add(link.driver_connection))
        return engine

    @contextlib.asynccontextmanager
    async def _patient(self) -> AsyncIterator[AsyncEngine]:
        """Connections that wait for long statements, for one operation."""
        engine = self._connecting(patient=True)
        try:
            yield engine
        finally:
            await _leave(engine)

    async def start(self) -> None:
        await self.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar_one())
        self._ear = asyncio.create_task(self._listen(), name="postgresql-listen")

    async def close(self) -> None:
        if self._ear is not None:
            self._ear.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ear
            self._ear = None
        await _leave(self._engine)
        for link in list(self._links):
            link.terminate()

    async def run(
        self, operation: Operation[T], *, committed: Operation[T | None] | None = None, patient: bool = False
    ) -> T:
        if not patient:
            return await self._run(self._engine, operation, committed)
        async with self._patient() as engine:
            return await self._run(engine, operation, committed)

    async def _run(self, engine: AsyncEngine, operation: Operation[T], committed: Operation[T | None] | None) -> T:
        in_doubt = False

        async def once() -> T:
            nonlocal in_doubt
            try:
                async with engine.connect() as connection:
                    transaction = await connection.begin()
                    result = await connection.run_sync(operation)
                    await _commit(connection, transaction)
                    return result
            except _InDoubt as doubt:
                in_doubt = True
                found = await self._ask(committed, doubt)
                if found is None:
                    raise _TryAgain from doubt.__cause__
                return found
            except _FAULTS as error:
                if _passes(error):
                    raise _TryAgain from error
                raise

        try:
            return await self._again(once)
        except DatabaseUnavailable as error:
            error.outcome_unknown = in_doubt  # a COMMIT that is under way may still arrive
            raise

    async def _ask(self, committed: Operation[T | None] | None, doubt: _InDoubt) -> T | None:
        """The result of an operation whose COMMIT wasn't answered; None: it is not done, or not yet."""
        if committed is not None:
            with contextlib.suppress(Exception):  # whatever the question meets, it isn't answered
                return await self.read(committed)
        raise DatabaseUnavailable(
            "the connection was lost during the commit", outcome_unknown=True
        ) from doubt.__cause__

    async def read(self, query: Operation[T], *, many: bool = False, patient: bool = False) -> T:
        if patient:
            async with self._patient() as engine:
                return await self._read(engine, query)
        # A cursor, for a long answer, lives in a transaction.
        return await self._read(self._engine if many else self._reading, query)

    async def _read(self, engine: AsyncEngine, query: Operation[T]) -> T:
        async def once() -> T:
            try:
                async with engine.connect() as connection:
                    return await connection.run_sync(query)
            except _FAULTS as error:
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
            cause = error.__cause__
            raise DatabaseUnavailable(f"the database doesn't answer: {cause or type(cause).__name__}") from cause

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        self._listeners[channel].append(listener)
        return lambda: self._listeners[channel].remove(listener)

    async def _listen(self) -> None:
        """Keep one connection listening on every channel; what is missed while it is away, the listeners poll for."""
        while True:
            try:
                await self._listen_on_one()
            except Exception as error:  # noqa: BLE001 - whatever it is, the listeners poll meanwhile
                log.warning("postgresql_listens_no_more", error=type(error).__name__)
            await asyncio.sleep(_LISTEN_AGAIN_SECONDS)

    async def _listen_on_one(self) -> None:
        """Listen until the connection is gone. One that is silent may be quiet or dead, and is asked now and then."""
        from bakong_service.storage import signals

        connection = await asyncpg.connect(
            self._url.set(drivername="postgresql").render_as_string(hide_password=False),
            timeout=self._timeouts.connect,
            command_timeout=self._timeouts.answer,
        )
        try:
            gone = asyncio.Event()
            connection.add_termination_listener(lambda _connection: gone.set())
            for channel in signals.CHANNELS:
                await connection.add_listener(channel, self._hear)
            while not gone.is_set():
                try:
                    async with asyncio.timeout(self._timeouts.heartbeat):
                        await gone.wait()
                except TimeoutError:
                    await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def _hear(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        for listener in list(self._listeners[channel]):
            listener(payload)


async def _leave(engine: AsyncEngine) -> None:
    """Close an engine's connections, taking leave of the server where it listens."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await engine.dispose()
    except _FAULTS:
        await engine.dispose(close=False)


async def _commit(connection: AsyncConnection, transaction: AsyncTransaction) -> None:
    """Commit. Whatever comes back that isn't the server's own refusal leaves open whether it did."""
    try:
        await transaction.commit()
    except Exception as error:
        if isinstance(error, DBAPIError) and not _is_lost(error) and getattr(error.orig, "sqlstate", None):
            raise
        await connection.invalidate()
        raise _InDoubt from error


def _give_up_lost(context: ExceptionContext) -> None:
    """Drop a connection whose link broke, and with it those that wait in the pool: each would have to be found dead."""
    error = context.original_exception
    if not _is_lost(error if context.sqlalchemy_exception is None else error.__cause__):
        return
    context.is_disconnect = True
    if context.connection is not None and not context.connection.invalidated:
        link = context.connection.connection.driver_connection
        assert link is not None
        link.terminate()  # at once: a broken link has nobody to take leave of


def _is_lost(error: BaseException | None) -> bool:
    """Whether the link broke: no answer comes, and whether the question was heard isn't known."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    if isinstance(error, asyncpg.PostgresError):
        sqlstate = error.sqlstate or ""
        return sqlstate.startswith(_LINK) or sqlstate in _SHUTDOWN
    if isinstance(error, ValueError):  # asyncpg's word for an argument that it can't send
        return False
    return isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError))


def _passes(error: BaseException) -> bool:
    """Whether the same transaction may go through when it is run again."""
    if isinstance(error, IntegrityError):
        return identifiers_met(error)
    if _is_lost(error) or isinstance(error, PoolTimeout):
        return True
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in {
        *_CONCURRENCY,
        *_SHUTDOWN,
        _NO_PLACE,
    }


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
