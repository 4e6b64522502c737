"""`migrate`: bring the database forward."""

import asyncio
from pathlib import Path

from sqlalchemy import make_url

from bakong_service.cli import opening
from bakong_service.storage.executor import connect
from bakong_service.storage.migrations import current, head, upgrade
from bakong_service.storage.opening import copy_beside


def migrate() -> None:
    """Bring the database forward to this version's schema, in one transaction.

    An older SQLite file is copied beside itself first. Take a backup of a PostgreSQL database before.
    """
    url = opening.settings().database_url.reveal()
    before, after = opening.attempt(lambda: _migrate(url))
    if before == after:
        print(f"the database is at {after} already")
    else:
        print(f"the database went from {before or 'empty'} to {after}")


async def _migrate(url: str) -> tuple[str | None, str]:
    executor = connect(url)
    await executor.start()
    try:
        before = await executor.read(current)
        if before == head():
            return before, head()
        if before is not None and executor.dialect == "sqlite":
            await asyncio.to_thread(copy_beside, Path(make_url(url).database or ""), before)
        await executor.run(upgrade, patient=True)
        return before, head()
    finally:
        await executor.close()
