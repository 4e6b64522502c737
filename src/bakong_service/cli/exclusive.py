"""One process of a kind per SQLite file: a lock that ends with its process, however that ends. Works on Windows too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import make_url


class AlreadyRunning(Exception):  # noqa: N818 - what happened
    """Another process of this kind works on the database file."""


@contextmanager
def alone(database_url: str, *kinds: str) -> Iterator[None]:
    """Hold the locks of `kinds` (`"serve"`, `"work"`) for a SQLite file; PostgreSQL takes any number of processes.

    Raises `AlreadyRunning`.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite" or not kinds:
        yield
        return
    path = Path(url.database or "")
    lock = FileLock(path.with_name(f"{path.name}.{kinds[0]}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise AlreadyRunning(
            f"another `bakong-service {kinds[0]}` works on {path}; a SQLite file takes one, PostgreSQL any number"
        ) from error
    try:
        with alone(database_url, *kinds[1:]):
            yield
    finally:
        lock.release()
