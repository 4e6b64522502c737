"""The SQLite file itself: where it is, that it has only one name, and that only its owner can read it."""

import os
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import make_url

from bakong_service.storage.engine.executor import UnfitDatabase

_BESIDE = ("", "-wal", "-shm")  # SQLite keeps the newest data in the second one
OWNER_ONLY = 0o600


def path_of(database_url: str) -> Path | None:
    """Return the path in `sqlite:///file`; None for another database."""
    url = make_url(database_url)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def ready(path: Path) -> Path:
    """Make the file if there is none, take the rights of others away, and return its real path, without symbolic links.

    Raises `UnfitDatabase` for a missing directory, a file that can't be made, or a file with more than one name.
    """
    found = path.resolve()
    if not found.parent.is_dir():
        raise UnfitDatabase(
            f"DATABASE_URL names a file in {found.parent}, and there is no such directory: make it first"
        )
    try:
        # A file that exists isn't opened here: closing it would end all locks that this process has on it.
        os.close(os.open(found, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
    except FileExistsError:
        if not found.is_file():
            raise UnfitDatabase(f"DATABASE_URL names {found}, which isn't a file") from None
    except OSError as error:
        raise UnfitDatabase(f"the SQLite file {found} can't be made: {error.strerror}") from error
    if found.stat().st_nlink > 1:
        # SQLite names the journal after the file: by another name it finds no journal, and damages the file.
        raise UnfitDatabase(
            f"the SQLite file {found} has another name (a hard link), which would damage it: remove one"
        )
    _close_to_others(found)
    return found


def rebuild(path: Path) -> bool:
    """Write the file anew, so that its free space and its journal hold no values that were replaced or deleted.

    Nobody else can write meanwhile. Return False if somebody read the file all the time, so that the journal is still
    there.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("VACUUM")  # the whole new file goes through the journal
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _close_to_others(path: Path) -> None:
    if sys.platform == "win32":
        return  # Windows has no such bits
    for suffix in _BESIDE:
        file = path.with_name(path.name + suffix)
        with suppress(
            FileNotFoundError, PermissionError
        ):  # only the owner may do this, and the owner has let us read the file
            if file.stat().st_mode & 0o077:
                file.chmod(OWNER_ONLY)
