"""The history: every change of a payment or a subscription, as rows that never change.

A line of history is written before its change, because a trigger refuses a new status without one.
"""

from datetime import datetime
from typing import Any

from attrs import fields_dict, frozen
from sqlalchemy import Connection, Table, select

from bakong_service.storage.engine.inserting import insert_row
from bakong_service.storage.engine.paging import newest_first
from bakong_service.storage.schema import payment_history, subscription_history


@frozen(kw_only=True)
class Change:
    """One change. `version` counts the changes of the subject from 1."""

    version: int
    old_status: str | None
    new_status: str
    reason: str
    actor: str
    event_type: str | None
    metadata: dict[str, Any] | None = None
    at: datetime


_NAMES = tuple(fields_dict(Change))


def write_payment(connection: Connection, payment_id: int, change: Change) -> None:
    """Write a change of a payment, before the change itself. `old_status` is None at the creation."""
    insert_row(connection, payment_history, {"subject_id": payment_id, **_row(change)})


def write_subscription(connection: Connection, subscription_id: int, change: Change) -> None:
    """Write a change of a subscription, before the change itself. `old_status` is None at the creation."""
    insert_row(connection, subscription_history, {"subject_id": subscription_id, **_row(change)})


def of_payment(
    connection: Connection, payment_id: int, *, below: int | None = None, above: int | None = None, limit: int = 100
) -> list[Change]:
    """Return a payment's changes below version `below`, newest first, or above version `above`, oldest first."""
    return _read(connection, payment_history, payment_id, below, above, limit)


def of_subscription(
    connection: Connection,
    subscription_id: int,
    *,
    below: int | None = None,
    above: int | None = None,
    limit: int = 100,
) -> list[Change]:
    """Return a subscription's changes below version `below`, newest first, or above `above`, oldest first."""
    return _read(connection, subscription_history, subscription_id, below, above, limit)


def _read(
    connection: Connection, table: Table, subject_id: int, below: int | None, above: int | None, limit: int
) -> list[Change]:
    columns = [column for column in table.c if column.name != "subject_id"]
    query = select(*columns).where(table.c.subject_id == subject_id)
    query = newest_first(query, table.c.version, below=below, above=above, limit=limit)
    return [Change(**row) for row in connection.execute(query).mappings()]


def _row(change: Change) -> dict[str, Any]:
    return {name: getattr(change, name) for name in _NAMES}
