"""How Bakong could be asked last: one row, which every replica reads."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from bakong_service.domain.access import Access
from bakong_service.domain.watching import Mode
from bakong_service.storage.engine.columns import microseconds
from bakong_service.storage.schema import provider_mode


def read(connection: Connection, *, now: datetime) -> Access:
    """Return the stored state. A service that never asked assumes that everything is open."""
    row = connection.execute(select(provider_mode)).mappings().one_or_none()
    if row is None:
        return Access(since=now)
    details = row["details"] or {}
    list_probe_at = details.pop("list_probe_at", None)
    return Access(
        mode=Mode(row["mode"]),
        reason=row["reason"],
        since=row["since"],
        probe_at=row["probe_at"],
        list_probe_at=None if list_probe_at is None else datetime.fromtimestamp(list_probe_at / 1_000_000, UTC),
        **details,
    )


def write(connection: Connection, access: Access) -> None:
    """Write the state. The last writer wins, because its knowledge is the newest."""
    probe = access.list_probe_at
    row: dict[str, Any] = {
        "mode": access.mode.value,
        "reason": access.reason,
        "since": access.since,
        "probe_at": access.probe_at,
        "details": {
            "refusals": access.refusals,
            "failures": access.failures,
            "list_probe_at": None if probe is None else microseconds(probe),
        },
    }
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    upsert = dialect.insert(provider_mode).values(id=1, **row).on_conflict_do_update(index_elements=["id"], set_=row)
    connection.execute(upsert)
