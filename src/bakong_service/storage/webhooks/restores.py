"""The restores of the database that `recover` recorded. Each began a new epoch of the feed."""

from datetime import datetime

from sqlalchemy import Connection, select

from bakong_service.domain.feed import FIRST_EPOCH, Restore
from bakong_service.storage.engine.inserting import insert_new
from bakong_service.storage.schema import restores


def every(connection: Connection) -> list[Restore]:
    """Return all restores, oldest first."""
    return [Restore(**row) for row in connection.execute(select(restores).order_by(restores.c.begun_at)).mappings()]


def of_since(connection: Connection, since: datetime) -> Restore | None:
    """Return the restore of the backup that was made at `since`; None if none is recorded."""
    row = connection.execute(select(restores).where(restores.c.since == since)).mappings().one_or_none()
    return None if row is None else Restore(**row)


def epoch(connection: Connection) -> str:
    """Return the mark of the present epoch of the feed."""
    newest = select(restores.c.epoch).order_by(restores.c.begun_at.desc()).limit(1)
    return connection.execute(newest).scalar_one_or_none() or FIRST_EPOCH


def add(connection: Connection, restore: Restore) -> bool:
    """Record a restore, which begins an epoch. Return False if a restore of the same backup is recorded already."""
    row = {column.name: getattr(restore, column.name) for column in restores.c}
    return insert_new(connection, restores, row, key=("since",))
