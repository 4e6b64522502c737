"""Effects: what a paid payment did. A payment has at most one row, so that nothing is given twice."""

from datetime import datetime

from sqlalchemy import Connection, insert, select

from bakong_service.storage.schema import effects


def exists(connection: Connection, payment_id: int) -> bool:
    """Return whether the payment has had its effect."""
    return (
        connection.execute(select(effects.c.payment_id).where(effects.c.payment_id == payment_id)).first() is not None
    )


def add(connection: Connection, payment_id: int, *, kind: str, target: str | None, now: datetime) -> None:
    """Write a payment's effect. A second one violates the key, and its transaction is rolled back."""
    row = {"payment_id": payment_id, "kind": kind, "target": target, "at": now}
    connection.execute(insert(effects).inline(), row)
