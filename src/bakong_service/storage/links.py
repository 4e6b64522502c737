"""Rows of payment links, and what their payments came to."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select, update

from bakong_service.domain.link import Link, Sales, Uses
from bakong_service.domain.money import Money
from bakong_service.domain.payment import PaymentStatus
from bakong_service.storage.engine.inserting import insert_row
from bakong_service.storage.engine.paging import newest_first
from bakong_service.storage.payments.money_seen import KEPT_OR_SENT_BACK, MONEY_SEEN, REFUNDED
from bakong_service.storage.schema import links, payments, receipts

_PLAIN = (
    "id", "reference", "code", "plan", "user_id", "description", "metadata", "max_uses", "expires_at", "opened",
    "created_at", "closed_at",
)  # fmt: skip
_COUNTED = {PaymentStatus.PENDING: "open", PaymentStatus.PAID: "paid", PaymentStatus.REFUNDED: "refunded"}
_AMOUNTS = ("amount", "least", "most")


def add(connection: Connection, link: Link) -> None:
    """Insert a new link."""
    money = {name: getattr(link, name) for name in _AMOUNTS}
    row = {name: getattr(link, name) for name in _PLAIN}
    row |= {name: None if value is None else value.minor for name, value in money.items()}
    row["currency"] = next((value.currency for value in money.values() if value is not None), None)
    insert_row(connection, links, row)


def by_reference(connection: Connection, reference: str) -> Link | None:
    """Return a link by its public reference, `lnk_…`."""
    return _one(connection, select(links).where(links.c.reference == reference))


def by_code(connection: Connection, code: str) -> Link | None:
    """Return a link by the code in its address."""
    return _one(connection, select(links).where(links.c.code == code))


def lock(connection: Connection, link_id: int) -> Link | None:
    """Return a link, locked until the end of the transaction: its uses are counted one payment at a time."""
    return _one(connection, select(links).where(links.c.id == link_id).with_for_update())


def page(connection: Connection, *, limit: int, below: int | None = None, above: int | None = None) -> list[Link]:
    """Return at most `limit` links, newest first."""
    query = newest_first(select(links), links.c.id, below=below, above=above, limit=limit)
    return [_link(row) for row in connection.execute(query).mappings()]


def close(connection: Connection, link_id: int, *, now: datetime) -> None:
    """Close a link that isn't closed."""
    connection.execute(update(links).where(links.c.id == link_id, links.c.closed_at.is_(None)).values(closed_at=now))


def count_opening(connection: Connection, link_id: int) -> None:
    """Count one more visitor."""
    connection.execute(update(links).where(links.c.id == link_id).values(opened=links.c.opened + 1))


def uses_of(connection: Connection, reference: str) -> Uses:
    """Return how many payments of a link are open, paid and refunded."""
    query = (
        select(payments.c.status, func.count().label("number"))
        .where(payments.c.link == reference)
        .where(payments.c.status.in_([status.value for status in _COUNTED]))
        .group_by(payments.c.status)
    )
    found = {row.status: row.number for row in connection.execute(query)}
    return Uses(**{name: found.get(status.value, 0) for status, name in _COUNTED.items()})


def sales_of(connection: Connection, reference: str) -> Sales:
    """Return what the payments of a link came to. Money in another currency than its payment's isn't in the sums."""
    query = (
        select(func.sum(receipts.c.amount_minor), func.sum(func.coalesce(REFUNDED, 0)))
        .select_from(MONEY_SEEN)
        .where(payments.c.link == reference, receipts.c.currency == payments.c.currency)
        .where(receipts.c.disposition.in_(KEPT_OR_SENT_BACK))
    )
    received, refunded = connection.execute(query).one()
    return Sales(uses=uses_of(connection, reference), received=int(received or 0), refunded=int(refunded or 0))


def _one(connection: Connection, query: Select[Any]) -> Link | None:
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _link(row)


def _link(row: RowMapping) -> Link:
    fields: dict[str, Any] = {name: row[name] for name in _PLAIN}
    fields |= {name: None if row[name] is None else Money(row[name], row["currency"]) for name in _AMOUNTS}
    return Link(**fields)
