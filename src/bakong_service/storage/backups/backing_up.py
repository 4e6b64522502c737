"""Takes a backup: everything that was committed before it began, as of one moment, beside a service that goes on."""

import asyncio
from functools import partial
from pathlib import Path

from attrs import frozen
from sqlalchemy import Connection

from bakong_service.storage.backups import postgresql_programs, sqlite_copy
from bakong_service.storage.backups.contents import Contents, contents
from bakong_service.storage.backups.new_file import new_file, size_of
from bakong_service.storage.backups.postgresql_session import holds_on, major_version, session
from bakong_service.storage.backups.refused import CopyRefused, Progress
from bakong_service.storage.engine import opening
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.engine.sqlite_file import path_of
from bakong_service.storage.migrations import current


@frozen(kw_only=True)
class Backup:
    """A backup that is whole."""

    file: Path
    size_bytes: int
    contents: Contents


async def back_up(url: str, to: Path, progress: Progress) -> Backup:
    """Write the database of `url` to the new file `to`, which only its owner can read.

    Raises `CopyRefused`, `DatabaseUnavailable`, `UnfitDatabase`. Then there is no file.
    """
    source = path_of(url)
    if source is not None and not source.is_file():
        raise CopyRefused(f"DATABASE_URL names {source.resolve()}, and there is no such file")
    with new_file(to) as part:
        if source is None:
            found = await _of_postgresql(url, part, to, progress)
        else:
            found = await _of_sqlite(source, part, progress)
        size = size_of(part)
    return Backup(file=to, size_bytes=size, contents=found)


async def _of_sqlite(source: Path, part: Path, progress: Progress) -> Contents:
    await asyncio.to_thread(sqlite_copy.copy, source, part, progress)
    # What the backup has is counted, and not what the source has by now.
    return await asyncio.to_thread(sqlite_copy.read, part, _counted)


async def _of_postgresql(url: str, part: Path, to: Path, progress: Progress) -> Contents:
    executor = await opening.start(url)
    try:
        async with session(url) as link, link.transaction(isolation="repeatable_read", readonly=True):
            await holds_on(link)
            snapshot = await link.fetchval("SELECT pg_export_snapshot()")
            found = await _seen(executor, snapshot)
            server = await major_version(link)
            await postgresql_programs.dump(url, part, to, server=server, snapshot=snapshot, progress=progress)
            return found
    finally:
        await executor.close()


async def _seen(executor: Executor, snapshot: str) -> Contents:
    return await executor.read(partial(_contents_of, snapshot=snapshot), patient=True)


def _contents_of(connection: Connection, *, snapshot: str) -> Contents:
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
    return _counted(connection)


def _counted(connection: Connection) -> Contents:
    if current(connection) is None:
        raise CopyRefused("DATABASE_URL names a database without the tables of the service")
    return contents(connection)
