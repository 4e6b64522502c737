"""SQLite: one writer thread that commits operations in groups, and connections that read.

The thread takes up to 64 waiting operations, opens one BEGIN IMMEDIATE, runs each operation in its own SAVEPOINT, and
commits once. So under load one fsync is enough for many payments, and an operation that fails rolls back only itself.
The futures are resolved only after the commit. The thread also moves what is in the WAL into the file: SQLite itself
does so only after 4 MB, and a shop that sells little would have weeks of payments in the WAL alone.
"""

import asyncio
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import structlog
from attrs import define
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool

from bakong_service.storage.engine import sqlite_file
from bakong_service.storage.engine.executor import ATTEMPTS, DatabaseUnavailable, Listener, Operation, identifiers_met
from bakong_service.storage.engine.sqlite_results import trouble

T = TypeVar("T")

_GROUP = 64
_BUSY_TIMEOUT_SECONDS = 5.0
_READERS = 4
_CHECKPOINT_SECONDS = 60.0
_WAL_PAGES = 4000  # of 4 kB; with SQLite's own 1,000, creating payments spends a sixth of its time on checkpoints
_LAST_CHECKPOINT_SECONDS = 1.0  # for those who still read the file: a process must stop within 10 s

log = structlog.get_logger(__name__)


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
                self.future.set_exception(_carried(self.error))


def _carried(error: BaseException) -> BaseException:
    """Return an error that a future can carry. It takes no `StopIteration`, and its caller would wait for ever."""
    if not isinstance(error, StopIteration):
        return error
    carried = RuntimeError("the operation raised StopIteration")
    carried.__cause__ = error
    return carried


class SqliteExecutor:
    """Runs operations on the SQLite file at `path`; see `executor.Executor` for the promises."""

    dialect = "sqlite"

    def __init__(self, path: str, *, checkpoint_seconds: float = _CHECKPOINT_SECONDS) -> None:
        if path in ("", ":memory:"):
            raise ValueError(
                "a SQLite database must be a file, as in sqlite:///payments.db, because memory forgets payments"
            )
        self.path = Path(path)
        self._checkpoint_seconds = checkpoint_seconds
        self._next_checkpoint = time.monotonic() + checkpoint_seconds
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._writer: Engine = _engine(self.path, "IMMEDIATE", NullPool)
        self._lists: Engine = _engine(self.path, "DEFERRED", QueuePool, pool_size=_READERS, max_overflow=0)
        self._points = _Points(self.path)
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        sqlite_file.ready(self.path)
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
        del (
            committed,
            patient,
        )  # a local commit is never in doubt, because it raises or is done; and it has no limit of time
        if self._thread is None:
            raise DatabaseUnavailable("the database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(operation, future, loop))
        return await future

    async def read(self, query: Operation[T], *, many: bool = False, patient: bool = False) -> T:
        # A point query takes microseconds; in another thread it would take ten times as long.
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
            failure = DatabaseUnavailable(f"the SQLite file {self.path} can't be opened: {trouble(error) or error}")
            loop.call_soon_threadsafe(opened.set_exception, failure)
            return
        with connection:
            loop.call_soon_threadsafe(opened.set_result, None)
            while (group := self._next_group(connection)) is not None:
                signals = self._commit(connection, group)
                self._answer(group, signals)
            _checkpoint(connection, "TRUNCATE", wait_seconds=_LAST_CHECKPOINT_SECONDS)

    def _next_job(self, connection: Connection) -> _Job | None:
        """Wait for one job. Meanwhile, move the WAL into the file now and then."""
        while True:
            left = self._next_checkpoint - time.monotonic()
            if left <= 0:
                _checkpoint(connection, "PASSIVE", wait_seconds=_BUSY_TIMEOUT_SECONDS)
                self._next_checkpoint = time.monotonic() + self._checkpoint_seconds
                continue
            with suppress(Empty):
                return self._jobs.get(timeout=left)

    def _next_group(self, connection: Connection) -> list[_Job] | None:
        """Wait for one job, and return it with the jobs behind it. Return None after the last job, when closing."""
        job = self._next_job(connection)
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
        """Run and commit a group. Return the signals that its operations sent. An error is stored in its jobs."""
        signals: list[tuple[str, str]] = []
        try:
            with connection.begin():
                for job in group:
                    if not job.future.cancelled():
                        signals += _run(connection, job)
        except Exception as error:  # noqa: BLE001 - if the group isn't committed, all of its jobs failed
            signals = []
            connection.invalidate()  # closing rolls back; the next group opens a new connection
            for job in group:
                if job.error is None:
                    job.error = DatabaseUnavailable(f"the transaction was not committed: {trouble(error) or error}")
        return signals

    def _answer(self, group: list[_Job], signals: list[tuple[str, str]]) -> None:
        for loop in {job.loop for job in group}:
            mine = [job for job in group if job.loop is loop]
            try:
                loop.call_soon_threadsafe(self._resolve, mine, signals)
            except RuntimeError:  # the loop is closed, so nobody waits for these answers
                continue

    def _resolve(self, jobs: list[_Job], signals: list[tuple[str, str]]) -> None:
        for job in jobs:
            job.resolve()
        for channel, payload in signals:
            for listener in list(self._listeners[channel]):
                listener(payload)


def _run(connection: Connection, job: _Job) -> list[tuple[str, str]]:
    """Run one job in its own SAVEPOINT.

    Raises if the whole transaction is lost, or must be rolled back: a full disk is full for every job.
    """
    for attempt in range(1, ATTEMPTS + 1):
        raw = _raw(connection)
        raw.execute("SAVEPOINT operation")
        try:
            job.result = job.operation(connection)
        except BaseException as error:  # handed to the caller that waits
            connection.info.pop("signals", None)
            if not raw.in_transaction or trouble(error) is not None:
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


def _checkpoint(connection: Connection, kind: str, *, wait_seconds: float) -> None:
    """Move what is in the WAL into the file. `PASSIVE` waits for nobody; `TRUNCATE` empties the WAL too."""
    try:
        raw = _raw(connection)
        raw.execute(f"PRAGMA busy_timeout = {round(wait_seconds * 1000)}")
        raw.execute(f"PRAGMA wal_checkpoint({kind})").fetchone()
    except (DatabaseError, sqlite3.Error) as error:
        # Nothing is lost: the WAL keeps it, and the next checkpoint comes.
        log.warning("sqlite_checkpoint_failed", error=trouble(error) or str(error))


def _raw(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection. A statement that doesn't need SQLAlchemy costs a tenth there."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


class _Points:
    """Point queries on a connection that stays open, because opening one takes longer than the answer."""

    def __init__(self, path: Path) -> None:
        self._engine = _engine(path, None, NullPool)
        self._connection: Connection | None = None

    def query(self, query: Operation[T]) -> T:
        """Run a query in its own transaction, so that all its statements see the same state."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            raw = _raw(self._connection)
            raw.execute("BEGIN")
            try:
                return query(self._connection)
            finally:
                raw.rollback()
        except (DatabaseError, sqlite3.DatabaseError) as error:
            if (reason := trouble(error)) is None:
                raise
            self.close()
            raise DatabaseUnavailable(reason) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _query(engine: Engine, query: Operation[T]) -> T:
    try:
        with engine.connect() as connection:
            try:
                return query(connection)
            except (DatabaseError, sqlite3.DatabaseError) as error:
                if trouble(error) is not None:
                    connection.invalidate()
                raise
            except StopIteration as error:
                raise _carried(error) from error
    except PoolTimeout as error:
        raise DatabaseUnavailable("every reader of the file is at work") from error
    except (DatabaseError, sqlite3.DatabaseError) as error:
        if (reason := trouble(error)) is None:
            raise
        raise DatabaseUnavailable(reason) from error


def _engine(path: Path, begin: str | None, pool: type[Any], **options: Any) -> Engine:
    """Return an engine whose transactions begin with `begin`; if it is None, the caller begins them.

    `isolation_level=None` keeps the driver from beginning its own transactions. With those, a SAVEPOINT would be
    outside of any transaction, and each RELEASE would be a commit.
    """
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
        connection.execute("PRAGMA temp_store = MEMORY")  # what a SAVEPOINT keeps of each operation for a rollback
        connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        if begin != "IMMEDIATE":
            connection.execute("PRAGMA query_only = ON")

    if begin is not None:

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            _raw(connection).execute(f"BEGIN {begin}")

    return engine
