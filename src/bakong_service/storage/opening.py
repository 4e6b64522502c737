"""Opening a database for work: one that is empty is migrated, an older SQLite file too, after a copy beside it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import structlog
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from bakong_service.storage.executor import DatabaseUnavailable, Executor, connect
from bakong_service.storage.migrations import current, head, is_known, upgrade

log = structlog.get_logger(__name__)


class SchemaMismatch(Exception):  # noqa: N818 - what happened
    """The database's schema isn't this version's, and may not be changed without being told to."""


async def open_database(url: str, *, bring_forward: bool) -> Executor:
    """A started executor on a database at this version's schema, to which it is brought forward where that may be.

    Raises `SchemaMismatch` (an older PostgreSQL, a newer anything), `DatabaseUnavailable`, `ValueError` for the URL.
    """
    executor = connect(url)
    try:
        await executor.start()
    except DBAPIError as error:  # it answers, and refuses: an unknown name, a wrong password
        raise DatabaseUnavailable(f"the database can't be opened: {error.orig}") from error
    try:
        revision = await executor.read(current)
        if revision != head():
            await _bring_forward(executor, url, revision, allowed=bring_forward)
    except BaseException:
        await executor.close()
        raise
    return executor


async def _bring_forward(executor: Executor, url: str, revision: str | None, *, allowed: bool) -> None:
    if revision is not None and not is_known(revision):
        raise SchemaMismatch(
            f"the database is at revision {revision}, which this version doesn't know ({head()} is its own): "
            "it was migrated by a newer bakong-service"
        )
    if not allowed:
        raise SchemaMismatch(
            f"the database is {'empty' if revision is None else f'at revision {revision}'} and this version works with "
            f"{head()}: start the service, or run bakong-service migrate"
        )
    if revision is not None and executor.dialect == "postgresql":
        raise SchemaMismatch(
            f"the database is at revision {revision} and this version works with {head()}: run bakong-service migrate"
        )
    if revision is not None:
        copy = await asyncio.to_thread(copy_beside, Path(make_url(url).database or ""), revision)
        log.info("database_copied", copy=str(copy))
    await executor.run(upgrade, patient=True)
    log.info("database_migrated", before=revision, after=head())


def copy_beside(path: Path, revision: str) -> Path:
    """Copy a SQLite database, whole and consistent, to `payments.db.<revision>.backup` beside it."""
    copy = path.with_name(f"{path.name}.{revision}.backup")
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy
