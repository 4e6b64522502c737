"""The database's clock, and one row with what the processes found out about clocks (read by `health` and `facts`)."""

from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects import postgresql, sqlite

from bakong_service.storage.schema import provider_clock

_MICROSECOND = timedelta(microseconds=1)
_RECENT = timedelta(minutes=2)  # a process that distrusts its clock says so again every ten seconds


@frozen(kw_only=True)
class ClockState:
    """How far Bakong's clock was ahead of ours at its last answer, and whether a process distrusts its own clock."""

    skew: timedelta | None
    distrusted: bool


def now(connection: Connection) -> datetime | None:
    """Return the time of the database server's clock; None for SQLite, which has only this machine's clock."""
    if connection.dialect.name == "sqlite":
        return None
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def read(connection: Connection, *, now: datetime) -> ClockState:
    """Return the state that the processes wrote last."""
    row = connection.execute(select(provider_clock)).mappings().one_or_none()
    if row is None:
        return ClockState(skew=None, distrusted=False)
    skew, distrusted_at = row["skew_microseconds"], row["distrusted_at"]
    return ClockState(
        skew=None if skew is None else skew * _MICROSECOND,
        distrusted=distrusted_at is not None and abs(now - distrusted_at) < _RECENT,
    )


def write(connection: Connection, *, skew: timedelta | None = None, distrusted_at: datetime | None = None) -> None:
    """Write what a process has found. An argument that is None changes nothing."""
    row: dict[str, Any] = {}
    if skew is not None:
        row["skew_microseconds"] = skew // _MICROSECOND
    if distrusted_at is not None:
        row["distrusted_at"] = distrusted_at
    if row:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        insert = dialect.insert(provider_clock).values(id=1, **row)
        connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=row))
