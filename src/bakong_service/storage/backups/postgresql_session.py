"""One connection to PostgreSQL that holds something meanwhile: a snapshot, or a lock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import make_url

from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.storage.engine.postgresql_link import Timeouts, Way


@asynccontextmanager
async def session(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection whose statements have no limit of time. Raises `DatabaseUnavailable` for trouble with it."""
    try:
        link = await Way(make_url(url), Timeouts()).connect(patient=True)
        try:
            yield link
        finally:
            link.terminate()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable(f"the database doesn't answer: {error}") from error


async def holds_on(link: asyncpg.Connection) -> None:
    """Let the transaction of a connection stay open while nothing happens in it."""
    await link.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


async def major_version(link: asyncpg.Connection) -> int:
    """Return the server's major version, such as 15."""
    return int(await link.fetchval("SHOW server_version_num")) // 10_000
