"""Restores a backup into an empty database. It is there whole afterwards, or the database is still empty."""

import asyncio
from pathlib import Path

from attrs import frozen

from bakong_service.storage.backups import postgresql_programs, sqlite_copy
from bakong_service.storage.backups.contents import is_empty
from bakong_service.storage.backups.new_file import new_file
from bakong_service.storage.backups.postgresql_session import major_version, session
from bakong_service.storage.backups.refused import CopyRefused, Progress
from bakong_service.storage.engine import opening
from bakong_service.storage.engine.sqlite_file import path_of
from bakong_service.storage.migrations import LOCK

_BESIDE = ("-wal", "-journal")


@frozen(kw_only=True)
class _Kind:
    """A kind of backup, known by the first bytes of its file."""

    magic: bytes
    is_sqlite: bool


_KINDS = (_Kind(magic=sqlite_copy.MAGIC, is_sqlite=True), _Kind(magic=postgresql_programs.MAGIC, is_sqlite=False))


async def restore(backup: Path, url: str, progress: Progress) -> None:
    """Restore a backup into the empty database of `url`. The caller keeps services away from a SQLite file.

    Raises `CopyRefused`, `DatabaseUnavailable`, `UnfitDatabase`. Then the database is as it was.
    """
    target = path_of(url)
    _must_fit(backup, _kind_of(backup), of_sqlite=target is not None)
    if target is None:
        await _into_postgresql(backup, url, progress)
    else:
        await asyncio.to_thread(_into_sqlite, backup, target.resolve(), progress)


def _kind_of(backup: Path) -> _Kind:
    try:
        with backup.open("rb") as file:
            first = file.read(len(sqlite_copy.MAGIC))
    except OSError as error:
        raise CopyRefused(f"{backup} can't be read: {error.strerror}") from error
    for kind in _KINDS:
        if first.startswith(kind.magic):
            return kind
    raise CopyRefused(f"{backup} is no backup: neither a SQLite file nor an archive of pg_dump (--format=custom)")


def _must_fit(backup: Path, kind: _Kind, *, of_sqlite: bool) -> None:
    if kind.is_sqlite and not of_sqlite:
        raise CopyRefused(
            f"{backup} is a SQLite file: restore it to sqlite:///file first, and then run bakong-service copy"
        )
    if of_sqlite and not kind.is_sqlite:
        raise CopyRefused(
            f"{backup} is an archive of PostgreSQL: restore it to an empty database of PostgreSQL first, and then run "
            "bakong-service copy"
        )


def _into_sqlite(backup: Path, target: Path, progress: Progress) -> None:
    for suffix in _BESIDE:
        beside = target.with_name(target.name + suffix)
        if beside.exists() and beside.stat().st_size:
            # SQLite would take it for the journal of the restored file, and damage that.
            raise CopyRefused(f"{beside} was left by another database: move it away with its database first")
    if target.exists() and target.stat().st_size and not sqlite_copy.read(target, is_empty):
        raise CopyRefused(f"{target} isn't empty: a backup is restored to a new file")
    with new_file(target, over_an_empty_one=True) as part:
        sqlite_copy.copy(backup, part, progress)


async def _into_postgresql(backup: Path, url: str, progress: Progress) -> None:
    executor = await opening.start(url)
    try:
        async with session(url) as link:
            # A service that starts meanwhile waits with its tables until the restored ones are there.
            await link.execute(f"SELECT pg_advisory_lock({LOCK})")
            if not await executor.read(is_empty):
                raise CopyRefused("the database isn't empty: a backup is restored to a new database (createdb NAME)")
            server = await major_version(link)
            await postgresql_programs.restore(url, backup, server=server, progress=progress)
            await link.execute("ANALYZE")  # the planner knows nothing of the new rows yet
    finally:
        await executor.close()
