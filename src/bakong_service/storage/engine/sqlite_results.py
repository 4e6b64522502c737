"""SQLite's errors that are *trouble*: they are nobody's mistake, so the caller gets a 503 and may ask again.

After each of them the connection is closed: opening the file again costs little, and shows whether the file is sound.
Every other error is a bug of ours and becomes a 500.
"""

import sqlite3

from sqlalchemy.exc import DBAPIError

TROUBLES: dict[int, str] = {
    sqlite3.SQLITE_PERM: "the file may not be opened in this way",
    sqlite3.SQLITE_BUSY: "another process held the file's lock for too long",
    sqlite3.SQLITE_LOCKED: "another connection of this process holds a table's lock",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_READONLY: "the file takes no writes now",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "the file, or one beside it, can't be opened",
    sqlite3.SQLITE_PROTOCOL: "the file's locks are contended",
    sqlite3.SQLITE_NOTADB: "the file isn't a SQLite database",
}


def trouble(error: BaseException) -> str | None:
    """Return what is wrong, in words; None if the error is a bug."""
    said = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(said, "sqlite_errorcode", None)
    reason = None if code is None else TROUBLES.get(code & 0xFF)  # the higher bits only give details of the same kind
    return None if reason is None else f"{reason}: {said}"
