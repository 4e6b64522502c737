"""Keeps everybody else from writing to a database while it is copied, and refuses if somebody is at work on it."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from bakong_service.storage.backups.postgresql_session import holds_on, session
from bakong_service.storage.backups.refused import CopyRefused
from bakong_service.storage.engine.sqlite_file import path_of
from bakong_service.storage.schema import metadata

_WAIT_SECONDS = 5  # as long as a service waits for the file, or for an answer
_OURS = "bakong-service copy"
_OF_THE_SERVICE = "bakong-service"


def named(url: str) -> str:
    """Return the URL under which a copy connects, so that its connections aren't taken for a service's."""
    if path_of(url) is not None:
        return url
    return make_url(url).update_query_dict({"application_name": _OURS}).render_as_string(hide_password=False)


@asynccontextmanager
async def quiet(url: str) -> AsyncIterator[None]:
    """Let nobody write to the database of `url` while this lasts. Everybody may read it.

    Raises `CopyRefused` if a service is connected to PostgreSQL, or somebody is writing.
    """
    path = path_of(url)
    async with _file(path) if path is not None else _server(url):
        yield


@asynccontextmanager
async def _file(path: Path) -> AsyncIterator[None]:
    with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise CopyRefused(f"somebody is writing to {path}: stop the service first") from error
        yield


@asynccontextmanager
async def _server(url: str) -> AsyncIterator[None]:
    service = str(make_url(url).query.get("application_name", _OF_THE_SERVICE))
    async with session(named(url)) as link, link.transaction():
        await holds_on(link)
        if found := await _connected(link, service):
            raise CopyRefused(f"{found} of {service} are open to the database: stop the service first")
        tables = ", ".join(table.name for table in metadata.sorted_tables)
        await link.execute(f"SET LOCAL lock_timeout = '{_WAIT_SECONDS}s'")
        try:
            await link.execute(f"LOCK TABLE {tables} IN SHARE MODE")
        except asyncpg.LockNotAvailableError as error:
            raise CopyRefused("somebody is writing to the database: stop the service first") from error
        yield


async def _connected(link: asyncpg.Connection, service: str) -> str:
    """Return how many connections of a service are open, such as `3 connections`; an empty text if there are none."""
    count = await link.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1", service
    )
    return f"{count} connection{'s' if count > 1 else ''}" if count else ""
