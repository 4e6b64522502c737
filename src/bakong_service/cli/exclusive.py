"""Lets one process of a kind work on a SQLite file, with a lock that ends when the process ends. Works on Windows too.

The lock is beside the file itself, not beside a symbolic link to it. A file with two names is refused, so every path
to the file leads to the same lock.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from bakong_service.storage.engine.sqlite_file import OWNER_ONLY, path_of, ready


class AlreadyRunning(Exception):  # noqa: N818 - what happened
    """Another process of this kind works on the database file."""


@contextmanager
def alone(database_url: str, *kinds: str) -> Iterator[None]:
    """Hold the locks of `kinds` (`"serve"`, `"work"`) for a SQLite file. PostgreSQL needs no lock.

    Raises `AlreadyRunning`, and `UnfitDatabase` for a file that can't be used.
    """
    file = path_of(database_url)
    if file is None or not kinds:
        yield
        return
    path = ready(file)
    lock = FileLock(path.with_name(f"{path.name}.{kinds[0]}.lock"), mode=OWNER_ONLY)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise AlreadyRunning(
            f"another `bakong-service {kinds[0]}` works on {path}: a SQLite file allows one, PostgreSQL any number"
        ) from error
    try:
        with alone(database_url, *kinds[1:]):
            yield
    finally:
        lock.release()
