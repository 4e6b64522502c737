"""Credit: signed entries, whose sum per user and currency is the balance. Each (reason, source) is written once."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, func, select

from bakong_service.domain.identifiers import Identifiers
from bakong_service.domain.money import Money
from bakong_service.storage.inserting import insert_new
from bakong_service.storage.schema import credit_entries


def balance(connection: Connection, user_id: str, currency: str) -> int:
    """What the user may spend, in minor units. It is never negative: whoever takes, looks first, under `lock_user`."""
    total: int = connection.execute(
        select(func.coalesce(func.sum(credit_entries.c.amount), 0)).where(
            credit_entries.c.user_id == user_id, credit_entries.c.currency == currency
        )
    ).scalar_one()
    return int(total)


def of(connection: Connection, *, reason: str, source: str) -> Money | None:
    """The entry that was written for a reason and a source."""
    row = connection.execute(
        select(credit_entries.c.amount, credit_entries.c.currency).where(
            credit_entries.c.reason == reason, credit_entries.c.source == source
        )
    ).one_or_none()
    return None if row is None else Money(row.amount, row.currency)


def total(connection: Connection, user_id: str, reasons: Iterable[str], *, sources: str) -> int:
    """What was written for these reasons and the sources that begin so, in minor units."""
    query = select(func.coalesce(func.sum(credit_entries.c.amount), 0)).where(
        credit_entries.c.user_id == user_id,  # the index's column
        credit_entries.c.reason.in_(tuple(reasons)),
        credit_entries.c.source.startswith(sources, autoescape=True),
    )
    return int(connection.execute(query).scalar_one())


def add(
    connection: Connection,
    identifiers: Identifiers,
    *,
    user_id: str,
    amount: Money,
    reason: str,
    source: str,
    now: datetime,
) -> bool:
    """Write an entry; False where it was written before. A negative amount is credit that is spent or set aside."""
    row = {
        "user_id": user_id,
        "amount": amount.minor,
        "currency": amount.currency,
        "reason": reason,
        "source": source,
        "at": now,
    }
    while not insert_new(connection, credit_entries, {"id": identifiers.number(now), **row}):
        if of(connection, reason=reason, source=source) is not None:
            return False
        # Two entries were given one id: with another it goes in. Money is never taken for written when it isn't.
    return True
