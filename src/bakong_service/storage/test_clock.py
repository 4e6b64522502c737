"""The stored offset of the test clock, so that replicas and restarts agree on the time. Empty in live mode."""

from datetime import timedelta

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from bakong_service.storage.schema import test_clock

_MICROSECOND = timedelta(microseconds=1)


def offset(connection: Connection) -> timedelta:
    """Return how far the test clock is ahead of the real clock."""
    microseconds = connection.execute(select(test_clock.c.offset_microseconds)).scalar_one_or_none()
    return (microseconds or 0) * _MICROSECOND


def advance(connection: Connection, by: timedelta) -> timedelta:
    """Move the test clock forward. Return its new offset."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    inserted = dialect.insert(test_clock).values(id=1, offset_microseconds=by // _MICROSECOND)
    moved = inserted.on_conflict_do_update(
        index_elements=["id"],
        set_={"offset_microseconds": test_clock.c.offset_microseconds + inserted.excluded.offset_microseconds},
    )
    connection.execute(moved)
    return offset(connection)
