"""SQLite: one writer thread that commits operations in groups, and readers beside it.

The thread takes whatever waits, up to 64 operations, opens one BEGIN IMMEDIATE, runs each in a SAVEPOINT of its own
and commits once: under load one fsync carries many payments, and an operation that fails takes back itself alone. The
futures are resolved only after the commit.
"""

import asyncio
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from attrs import define
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool

from bakong_service.storage.executor import ATTEMPTS, DatabaseUnavailable, Listener, Operation, identifiers_met

T = TypeVar("T")

_GROUP = 64
_BUSY_TIMEOUT_SECONDS = 5.0
_READERS = 4


@define
class _Job:
    operation: Operation[Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: BaseException | None = None

    def resolve(self) -> None:
        if not self.future.done():
            if self.error is None:
                self.future.set_result(self.result)
            else:
                self.future.set_exception(self.error)


class SqliteExecutor:
    """Runs operations on the SQLite file at `path`; see `executor.Executor` for the promises."""

    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        if path in ("", ":memory:"):
            raise ValueError("a SQLite database must be a file, as in sqlite:///payments.db: memory forgets payments")
        self.path = Path(path)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._writer: Engine = _engine(self.path, "IMMEDIATE", NullPool)
        self._lists: Engine = _engine(self.path, "DEFERRED", QueuePool, pool_size=_READERS, max_overflow=0)
        self._points = _Points(self.path)
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._thread = threading.Thread(
            target=self._write, args=(opened, asyncio.get_running_loop()), name="sqlite-writer", daemon=True
        )
        self._thread.start()
        await opened

    async def close(self) -> None:
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        self._points.close()
        for engine in (self._lists, self._writer):
            engine.dispose()

    async def run(
        self, operation: Operation[T], *, committed: Operation[T | None] | None = None, patient: bool = False
    ) -> T:
        del committed, patient  # a local commit is never in doubt: it raises, or it is done; and nothing limits it
        if self._thread is None:
            raise DatabaseUnavailable("the database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(operation, future, loop))
        return await future

    async def read(self, query: Operation[T], *, many: bool = False, patient: bool = False) -> T:
        # A point query takes microseconds: handing it to a thread would cost ten times as much.
        if many or patient:
            return await asyncio.to_thread(_query, self._lists, query)
        return self._points.query(query)

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        self._listeners[channel].append(listener)
        return lambda: self._listeners[channel].remove(listener)

    # The writer thread

    def _write(self, opened: asyncio.Future[None], loop: asyncio.AbstractEventLoop) -> None:
        try:
            connection = self._writer.connect()
        except (DatabaseError, sqlite3.Error, OSError) as error:
            failure = DatabaseUnavailable(f"the SQLite file {self.path} can't be opened: {error}")
            loop.call_soon_threadsafe(opened.set_exception, failure)
            return
        with connection:
            loop.call_soon_threadsafe(opened.set_result, None)
            while (group := self._next_group()) is not None:
                signals = self._commit(connection, group)
                self._answer(group, signals)

    def _next_group(self) -> list[_Job] | None:
        """Wait for one job and take what stands behind it. None when the executor closes, after the last job."""
        job = self._jobs.get()
        if job is None:
            return None
        group = [job]
        while len(group) < _GROUP:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            group.append(job)
        return group

    def _commit(self, connection: Connection, group: list[_Job]) -> list[tuple[str, str]]:
        """Run and commit a group; the signals that its operations sent. Whatever goes wrong ends up in the jobs."""
        signals: list[tuple[str, str]] = []
        try:
            with connection.begin():
                for job in group:
                    if not job.future.cancelled():
                        signals += _run(connection, job)
        except Exception as error:  # noqa: BLE001 - a group that isn't committed failed for everybody in it
            signals = []
            connection.invalidate()  # whatever state it is in, closing rolls it back; the next group opens it again
            for job in group:
                if job.error is None:
                    job.error = DatabaseUnavailable(f"the transaction was not committed: {error}")
        return signals

    def _answer(self, group: list[_Job], signals: list[tuple[str, str]]) -> None:
        for loop in {job.loop for job in group}:
            mine = [job for job in group if job.loop is loop]
            try:
                loop.call_soon_threadsafe(self._resolve, mine, signals)
            except RuntimeError:  # the loop is closed: nobody waits for these answers any more
                continue

    def _resolve(self, jobs: list[_Job], signals: list[tuple[str, str]]) -> None:
        for job in jobs:
            job.resolve()
        for channel, payload in signals:
            for listener in list(self._listeners[channel]):
                listener(payload)


def _run(connection: Connection, job: _Job) -> list[tuple[str, str]]:
    """Run one job in a SAVEPOINT of its own. Raises where the whole transaction is gone (disk full, I/O error)."""
    for attempt in range(1, ATTEMPTS + 1):
        raw = _raw(connection)
        raw.execute("SAVEPOINT operation")
        try:
            job.result = job.operation(connection)
        except BaseException as error:  # handed to whoever waits
            connection.info.pop("signals", None)
            if not raw.in_transaction:
                raise
            raw.execute("ROLLBACK TO operation")
            raw.execute("RELEASE operation")
            if isinstance(error, IntegrityError) and identifiers_met(error) and attempt < ATTEMPTS:
                continue
            job.error = error
            return []
        if not raw.in_transaction:
            raise DatabaseUnavailable("SQLite ended the transaction")
        raw.execute("RELEASE operation")
        signals: list[tuple[str, str]] = connection.info.pop("signals", [])
        return signals
    raise AssertionError("the last attempt returns")


def _raw(connection: Connection) -> sqlite3.Connection:
    """The driver's connection: what SQLAlchemy has no part in goes there at a tenth of the cost."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


class _Points:
    """Point queries, on a connection that stays open: opening one costs SQLAlchemy more than SQLite takes to answer."""

    def __init__(self, path: Path) -> None:
        self._engine = _engine(path, None, NullPool)
        self._connection: Connection | None = None

    def query(self, query: Operation[T]) -> T:
        """Run a query in a transaction of its own, so that all its statements see one state."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            raw = _raw(self._connection)
            raw.execute("BEGIN")
            try:
                return query(self._connection)
            finally:
                raw.rollback()
        except (OperationalError, sqlite3.OperationalError) as error:
            self.close()
            raise _silent(error) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _query(engine: Engine, query: Operation[T]) -> T:
    try:
        with engine.connect() as connection:
            return query(connection)
    except OperationalError as error:
        raise _silent(error) from error


def _silent(error: OperationalError | sqlite3.OperationalError) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"the database doesn't answer: {getattr(error, 'orig', error)}")


def _engine(path: Path, begin: str | None, pool: type[Any], **options: Any) -> Engine:
    """An engine whose transactions begin as said; None: its user begins them. `isolation_level=None` keeps the driver
    from beginning its own, which would open a SAVEPOINT outside any transaction and make each RELEASE a commit."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=pool,
        connect_args={"isolation_level": None, "timeout": _BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        **options,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # an acknowledged payment survives a power cut
        connection.execute("PRAGMA foreign_keys = ON")
        if begin != "IMMEDIATE":
            connection.execute("PRAGMA query_only = ON")

    if begin is not None:

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            _raw(connection).execute(f"BEGIN {begin}")

    return engine
