"""Opens a database for work. An empty database is migrated, and an older SQLite file too, after a copy was made."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import structlog
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from bakong_service.storage.engine.executor import POOL, DatabaseUnavailable, Executor, UnfitDatabase, connect
from bakong_service.storage.engine.sqlite_file import OWNER_ONLY
from bakong_service.storage.migrations import HALF_A_COPY, HEAD, current, is_known, upgrade

_NO_RIGHT = "42501"  # PostgreSQL: insufficient_privilege

log = structlog.get_logger(__name__)


class SchemaMismatch(Exception):  # noqa: N818 - what happened
    """The database's schema isn't the one of this version, and nobody asked to change it."""


async def open_database(url: str, *, bring_forward: bool, pool: int = POOL) -> Executor:
    """Return a started executor on a database with this version's schema. `bring_forward` allows to migrate it.

    Raises `SchemaMismatch` for an older PostgreSQL database and for any newer database, `DatabaseUnavailable`,
    `UnfitDatabase`, and `ValueError` for the URL.
    """
    executor = await start(url, pool=pool)
    try:
        revision = await executor.read(current)
        if revision != HEAD:
            _may_be_brought_forward(executor, revision, allowed=bring_forward)
            before = await migrate(executor, url)
            log.info("database_migrated", before=before, after=HEAD)
    except BaseException:
        await executor.close()
        raise
    return executor


async def start(url: str, *, pool: int = POOL) -> Executor:
    """Return a started executor, without a look at the schema. Raises `DatabaseUnavailable`, `UnfitDatabase`."""
    executor = connect(url, pool=pool)
    try:
        await executor.start()
    except DBAPIError as error:  # the server answers and refuses: an unknown database, a wrong password
        await executor.close()
        raise DatabaseUnavailable(f"the database can't be opened: {error.orig}") from error
    except BaseException:
        await executor.close()
        raise
    return executor


async def migrate(executor: Executor, url: str) -> str | None:
    """Migrate a database to this version's schema, a SQLite file after a copy. Return the revision that it had.

    Raises `SchemaMismatch` for a database that a newer version migrated.
    """
    before = await executor.read(current)
    if before == HEAD:
        return before
    _must_be_known(before)
    if before is not None and executor.dialect == "sqlite":
        await asyncio.to_thread(copy_beside, Path(make_url(url).database or ""), before)
    try:
        await executor.run(upgrade, patient=True)
    except DatabaseUnavailable as error:
        if error.sqlstate != _NO_RIGHT:
            raise
        raise UnfitDatabase(
            "the role of DATABASE_URL may not make the service's tables: let the owner of the database grant it "
            "CREATE on the schema (GRANT CREATE ON SCHEMA public TO role), or run bakong-service migrate as the owner"
        ) from error
    return before


def _may_be_brought_forward(executor: Executor, revision: str | None, *, allowed: bool) -> None:
    _must_be_known(revision)
    if not allowed:
        raise SchemaMismatch(
            f"the database is {'empty' if revision is None else f'at revision {revision}'} and this version works with "
            f"{HEAD}: start the service, or run bakong-service migrate"
        )
    if revision is not None and executor.dialect == "postgresql":
        raise SchemaMismatch(
            f"the database is at revision {revision} and this version works with {HEAD}: run bakong-service migrate"
        )


def _must_be_known(revision: str | None) -> None:
    if revision is not None and revision.startswith(HALF_A_COPY):
        raise SchemaMismatch("the database is half a copy of another one: run the same bakong-service copy again")
    if revision is not None and not is_known(revision):
        raise SchemaMismatch(
            f"the database is at revision {revision}, which this version doesn't know ({HEAD} is its own): "
            "it was migrated by a newer bakong-service"
        )


def copy_beside(path: Path, revision: str) -> Path:
    """Copy a SQLite database, whole and consistent, to `payments.db.<revision>.backup` beside it."""
    copy = path.with_name(f"{path.name}.{revision}.backup")
    copy.unlink(missing_ok=True)
    copy.touch(mode=OWNER_ONLY)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy
