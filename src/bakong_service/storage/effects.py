"""What a paid payment did. One row a payment: its key is the promise that nothing is given twice."""

from datetime import datetime

from sqlalchemy import Connection, insert, select

from bakong_service.storage.schema import effects


def exists(connection: Connection, payment_id: int) -> bool:
    """Whether the payment has had its effect."""
    return (
        connection.execute(select(effects.c.payment_id).where(effects.c.payment_id == payment_id)).first() is not None
    )


def add(connection: Connection, payment_id: int, *, kind: str, target: str | None, now: datetime) -> None:
    """Write a payment's effect. A second one breaks the key, and the transaction that tried it is rolled back."""
    row = {"payment_id": payment_id, "kind": kind, "target": target, "at": now}
    connection.execute(insert(effects).inline(), row)
