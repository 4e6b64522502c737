"""PostgreSQL: SQLAlchemy Core over asyncpg, with a pool, and a connection that listens.

A connection can break at any moment. If it breaks before COMMIT was sent, the operation is run again. If it breaks
after that, the database is asked whether the commit was done; without an answer, the outcome is reported as unknown.
`sqlstates.py` says which errors are trouble.
"""

import asyncio
import contextlib
import functools
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar
from weakref import WeakSet

import asyncpg
import stamina
import structlog
from sqlalchemy import URL, event
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import greenlet_spawn

from bakong_service.storage.engine.executor import (
    ATTEMPTS,
    POOL,
    DatabaseUnavailable,
    Listener,
    Operation,
    UnfitDatabase,
    identifiers_met,
)
from bakong_service.storage.engine.postgresql_link import Timeouts, Way
from bakong_service.storage.engine.sqlstates import CHANGED_PLAN, TROUBLES, WAITED, Fate, Trouble, trouble

T = TypeVar("T")

log = structlog.get_logger(__name__)

_CLOSE_SECONDS = 2.0  # for closing the connections: a process must stop within 10 s
_LISTEN_AGAIN_SECONDS = 1.0
_FAULTS = (DBAPIError, OSError, PoolTimeout, asyncpg.InterfaceError, asyncpg.PostgresError)


class _TryAgain(Exception):  # noqa: N818 - never leaves this file
    """The transaction failed for a reason that soon passes; the cause says which."""


class _InDoubt(Exception):  # noqa: N818 - never leaves this file
    """COMMIT was sent, but not answered; the cause says why."""


class PostgresqlExecutor:
    """Runs operations on a PostgreSQL database; see `executor.Executor` for the promises."""

    dialect = "postgresql"

    def __init__(self, url: URL, timeouts: Timeouts | None = None, *, pool: int = POOL) -> None:
        self._url = url
        self._timeouts = timeouts or Timeouts()
        self._pool = pool
        self._way = Way(url, self._timeouts)
        self._links: WeakSet[asyncpg.Connection] = WeakSet()
        self._engine = self._connecting()
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._ear: asyncio.Task[None] | None = None

    def _connecting(self, *, patient: bool = False) -> AsyncEngine:
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=functools.partial(self._way.connect, patient=patient),
            pool_size=self._pool,
            max_overflow=0,
            pool_timeout=self._timeouts.place,
        )
        event.listen(engine.sync_engine, "handle_error", _give_up)
        event.listen(engine.sync_engine, "connect", lambda link, _: self._links.add(link.driver_connection))
        return engine

    @contextlib.asynccontextmanager
    async def _patient(self) -> AsyncIterator[AsyncEngine]:
        """Yield an engine without a limit for statements, for one operation."""
        engine = self._connecting(patient=True)
        try:
            yield engine
        finally:
            await _leave(engine)

    async def start(self) -> None:
        encoding = await self.read(lambda connection: connection.exec_driver_sql("SHOW server_encoding").scalar_one())
        if encoding != "UTF8":
            raise UnfitDatabase(
                f"the database keeps its texts in {encoding}, which lacks Khmer: make one with "
                "CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0"
            )
        try:
            await self._way.must_keep_sessions()
        except _FAULTS as error:
            raise _unavailable(error) from error
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
                return await greenlet_spawn(_commit, engine, operation)
            except _InDoubt as doubt:
                in_doubt = True
                found = await self._ask(committed, doubt)
                if found is None:
                    raise _TryAgain from doubt.__cause__
                return found
            except _FAULTS as error:
                _judge(error)
                raise

        try:
            return await self._again(once)
        except DatabaseUnavailable as error:
            error.outcome_unknown = in_doubt  # the first COMMIT may still arrive
            raise

    async def _ask(self, committed: Operation[T | None] | None, doubt: _InDoubt) -> T | None:
        """Return the result of an operation whose COMMIT wasn't answered; None if it isn't done, or not done yet."""
        if committed is not None:
            with contextlib.suppress(Exception):  # after any error the question isn't answered
                return await self.read(committed)
        raise DatabaseUnavailable(
            "the connection was lost during the commit", outcome_unknown=True
        ) from doubt.__cause__

    async def read(self, query: Operation[T], *, many: bool = False, patient: bool = False) -> T:
        if patient:
            async with self._patient() as engine:
                return await self._again(functools.partial(_read, engine, query))
        return await self._again(functools.partial(_read, self._engine, query, many=many))

    async def _again(self, once: Callable[[], Awaitable[T]]) -> T:
        try:
            return await once()  # without a retrier, which would cost as much as a query
        except _TryAgain:
            pass
        caller = stamina.AsyncRetryingCaller(
            attempts=ATTEMPTS - 1, timeout=None, wait_initial=0.02, wait_max=0.5, wait_jitter=0.05
        )
        try:
            return await caller(_TryAgain, once)
        except _TryAgain as error:
            cause = error.__cause__
            assert cause is not None
            raise _unavailable(cause) from cause

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        self._listeners[channel].append(listener)
        return lambda: self._listeners[channel].remove(listener)

    async def _listen(self) -> None:
        """Keep one connection that listens on every channel. Listeners poll, so they find what it misses."""
        while True:
            try:
                await self._listen_on_one()
            except Exception as error:  # noqa: BLE001 - after any error the listeners poll until this listens again
                log.warning("postgresql_listens_no_more", error=type(error).__name__)
            await asyncio.sleep(_LISTEN_AGAIN_SECONDS)

    async def _listen_on_one(self) -> None:
        """Listen until the connection breaks. A silent connection may be dead, so it is tested now and then."""
        from bakong_service.storage.engine import signals

        connection = await self._way.connect()
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
                    # A read-only server sends no signals: after a failover this connection leads to the wrong server.
                    if await connection.fetchval("SHOW transaction_read_only") == "on":
                        return
        finally:
            connection.terminate()

    def _hear(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        for listener in list(self._listeners[channel]):
            listener(payload)


async def _read(engine: AsyncEngine, query: Operation[T], *, many: bool = True) -> T:
    try:
        return await greenlet_spawn(_answer if many else _answer_without_transaction, engine, query)
    except _FAULTS as error:
        _judge(error)
        raise


# These functions run within `greenlet_spawn`. It makes one switch of contexts, where SQLAlchemy's connections for
# asyncio make one for each step: to connect, to begin, to run, to commit and to close.


def _answer(engine: AsyncEngine, query: Operation[T]) -> T:
    """Run a query in a transaction, which a cursor for a long answer needs."""
    with engine.sync_engine.connect() as connection:
        return query(connection)


def _answer_without_transaction(engine: AsyncEngine, query: Operation[T]) -> T:
    """Run a point query. A statement sees what is committed, within a transaction or without, so it needs no BEGIN."""
    with engine.sync_engine.connect() as connection:
        link: Any = connection.connection.dbapi_connection
        link.autocommit = True
        try:
            return query(connection)
        finally:
            link.autocommit = False


def _commit(engine: AsyncEngine, operation: Operation[T]) -> T:
    """Run an operation and commit it.

    After any error of the commit but the server's own refusal, nobody knows whether the commit was done.
    """
    with engine.sync_engine.connect() as connection:
        transaction = connection.begin()
        result = operation(connection)
        try:
            transaction.commit()
        except Exception as error:
            sqlstate = _sqlstate(error)
            found = trouble(sqlstate)
            if sqlstate is not None and not (found is not None and found.in_doubt):
                raise
            connection.invalidate()
            raise _InDoubt from error
        return result


async def _leave(engine: AsyncEngine) -> None:
    """Close an engine's connections in the proper way if the server answers in time."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await engine.dispose()
    except _FAULTS:
        await engine.dispose(close=False)


def _give_up(context: ExceptionContext) -> None:
    """Discard a connection after trouble, and also the idle ones in the pool if they would have the same trouble."""
    error = context.original_exception
    found = _trouble(error if context.sqlalchemy_exception is None else error.__cause__)
    if found is None or found.fate is Fate.KEEP:
        return
    context.is_disconnect = True
    context.invalidate_pool_on_disconnect = found.fate is Fate.DROP_ALL
    if context.connection is not None and not context.connection.invalidated:
        link = context.connection.connection.driver_connection
        assert link is not None
        link.terminate()  # at once, because nobody answers on a broken connection


def _judge(error: BaseException) -> None:
    """Raise `_TryAgain` if the same transaction may succeed when run again, `DatabaseUnavailable` for other trouble.

    Return if the error is a bug of ours.
    """
    if isinstance(error, IntegrityError) and identifiers_met(error):
        raise _TryAgain from error
    found = _trouble(error)
    if found is None:
        return
    if found.again:
        raise _TryAgain from error
    raise _unavailable(error) from error


def _unavailable(error: BaseException) -> DatabaseUnavailable:
    found = _trouble(error)
    reason = "the database doesn't answer" if found is None else found.reason
    said = _driver_error(error)  # without the statement and its values, which SQLAlchemy would add
    return DatabaseUnavailable(
        f"{reason}: {str(said) or type(said).__name__}",
        sqlstate=_sqlstate(error),
        waited_in=(getattr(said, "context", None) or "") if found is WAITED else "",
    )


def _trouble(error: BaseException | None) -> Trouble | None:
    """Return what an error of SQLAlchemy or asyncpg means; None for a bug of ours."""
    error = None if error is None else _driver_error(error)
    if isinstance(error, PoolTimeout):
        return _BUSY
    if isinstance(error, asyncpg.exceptions.InvalidCachedStatementError):
        return CHANGED_PLAN
    if (sqlstate := _sqlstate(error)) is not None:
        return trouble(sqlstate)
    if isinstance(error, ValueError):  # asyncpg raises it for an argument that it can't send
        return None
    if isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
        return TROUBLES["08"]  # no answer came, and nobody knows whether the server got the question
    return None


_BUSY = Trouble(reason="every connection of the pool is at work", fate=Fate.KEEP, again=True)


def _driver_error(error: BaseException) -> BaseException:
    """Return the error of asyncpg inside an error of SQLAlchemy."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def _sqlstate(error: BaseException | None) -> str | None:
    """Return the server's code for an error; None if the error isn't the server's."""
    code = getattr(None if error is None else _driver_error(error), "sqlstate", None)
    return code if isinstance(code, str) else None
