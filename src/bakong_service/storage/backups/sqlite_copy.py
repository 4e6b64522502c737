"""SQLite's online backup: it copies a database while others write to it, with everything that is still in the WAL."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from bakong_service.storage.backups.refused import CopyRefused, Progress

T = TypeVar("T")

MAGIC = b"SQLite format 3\x00"

_PAGES_IN_A_STEP = 2_000  # 8 MB: a few milliseconds


def copy(source: Path, target: Path, progress: Progress) -> None:
    """Copy a database into an empty file, which is one whole file then: it needs no file beside it.

    The copy shows one moment. Raises `CopyRefused` if `source` is no sound database of SQLite.
    """
    try:
        with closing(_reading(source)) as origin, closing(sqlite3.connect(target, isolation_level=None)) as copied:
            copied.execute("PRAGMA synchronous = OFF")  # the caller flushes the whole file once
            size = origin.execute("PRAGMA page_size").fetchone()[0]
            # All steps are in one read transaction. Without it, each commit of a service would begin the copy anew.
            origin.execute("BEGIN")
            origin.execute("SELECT count(*) FROM sqlite_master").fetchone()
            origin.backup(
                copied,
                pages=_PAGES_IN_A_STEP,
                progress=lambda _, left, of: progress((of - left) * size, of * size),
                sleep=0,
            )
            copied.execute("PRAGMA journal_mode = DELETE")
            _must_be_sound(copied, source)
    except sqlite3.Error as error:
        raise CopyRefused(f"{source} can't be copied: {error}") from error


def _reading(path: Path) -> sqlite3.Connection:
    # A connection that may only read would leave the files of the WAL beside the database when it is the last one.
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _must_be_sound(connection: sqlite3.Connection, source: Path) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise CopyRefused(f"the SQLite file {source} is damaged: {found}")


def read(path: Path, query: Callable[[Connection], T]) -> T:
    """Run a query on a file that nobody else uses, and leave no file beside it."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return query(connection)
    finally:
        engine.dispose()
