"""Every change of a payment or a subscription, as rows that nothing changes any more.

A history row is written before the change it tells of: a trigger refuses a status that has none.
"""

from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, Table, select

from bakong_service.storage.inserting import insert_row
from bakong_service.storage.schema import payment_history, subscription_history


@frozen(kw_only=True)
class Change:
    """One change, as it was written. `version` counts the changes of the subject from 1."""

    version: int
    old_status: str | None
    new_status: str
    reason: str
    actor: str
    event_type: str | None
    metadata: dict[str, Any] | None
    at: datetime


def write_payment(
    connection: Connection,
    payment_id: int,
    *,
    version: int,
    old: str | None,
    new: str,
    reason: str,
    actor: str,
    event_type: str | None = None,
    metadata: dict[str, Any] | None = None,
    now: datetime,
) -> None:
    """Write what happens to a payment, before it happens. `old` is None at its creation."""
    _write(connection, payment_history, payment_id, version, old, new, reason, actor, event_type, metadata, now)


def write_subscription(
    connection: Connection,
    subscription_id: int,
    *,
    version: int,
    old: str | None,
    new: str,
    reason: str,
    actor: str,
    event_type: str | None = None,
    metadata: dict[str, Any] | None = None,
    now: datetime,
) -> None:
    """Write what happens to a subscription, before it happens. `old` is None at its creation."""
    _write(
        connection, subscription_history, subscription_id, version, old, new, reason, actor, event_type, metadata, now
    )


def of_payment(
    connection: Connection, payment_id: int, *, before: int | None = None, after: int | None = None, limit: int = 100
) -> list[Change]:
    """A payment's changes: those before version `before`, newest first; or after version `after`, oldest first."""
    return _read(connection, payment_history, payment_id, before, limit, after=after)


def of_subscription(
    connection: Connection,
    subscription_id: int,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = 100,
) -> list[Change]:
    """A subscription's changes: those before version `before`, newest first; or after version `after`, oldest first."""
    return _read(connection, subscription_history, subscription_id, before, limit, after=after)


def _write(
    connection: Connection,
    table: Table,
    subject_id: int,
    version: int,
    old: str | None,
    new: str,
    reason: str,
    actor: str,
    event_type: str | None,
    metadata: dict[str, Any] | None,
    now: datetime,
) -> None:
    row = {
        "subject_id": subject_id, "version": version, "old_status": old, "new_status": new, "reason": reason,
        "actor": actor, "event_type": event_type, "metadata": metadata, "at": now,
    }  # fmt: skip
    insert_row(connection, table, row)


def _read(
    connection: Connection, table: Table, subject_id: int, before: int | None, limit: int, *, after: int | None = None
) -> list[Change]:
    columns = [column for column in table.c if column.name != "subject_id"]
    query = select(*columns).where(table.c.subject_id == subject_id).limit(limit)
    query = query.order_by(table.c.version.desc() if after is None else table.c.version)
    if after is not None:
        query = query.where(table.c.version > after)
    if before is not None:
        query = query.where(table.c.version < before)
    return [Change(**row) for row in connection.execute(query).mappings()]
