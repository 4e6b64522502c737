"""The review queue: money, or what may be money, that a person has to decide about."""

from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, Select, insert, select, update

from bakong_service.storage.schema import payments, review_items


@frozen(kw_only=True)
class ReviewItem:
    """One item. `details` say what was expected and what was seen; `action` is None while it is open."""

    id: int
    reference: str
    kind: str
    payment_id: int
    payment: str  # its reference
    receipt_id: int | None
    details: dict[str, Any] | None
    raw: bytes | None  # sealed: an answer that couldn't be read
    opened_at: datetime
    resolved_at: datetime | None
    action: str | None
    operator: str | None
    note: str | None


_SELECT = select(
    *(column for column in review_items.c if column.name != "raw_enc"),
    review_items.c.raw_enc.label("raw"),
    payments.c.reference.label("payment"),
).select_from(review_items.join(payments, payments.c.id == review_items.c.payment_id))


def add(
    connection: Connection,
    *,
    item_id: int,
    reference: str,
    kind: str,
    payment_id: int,
    receipt_id: int | None,
    details: dict[str, Any] | None,
    raw: bytes | None,
    now: datetime,
) -> None:
    """Open an item. At most one is open for a receipt: the database refuses a second."""
    row = {
        "id": item_id, "reference": reference, "kind": kind, "payment_id": payment_id, "receipt_id": receipt_id,
        "details": details, "raw_enc": raw, "opened_at": now,
    }  # fmt: skip
    connection.execute(insert(review_items).inline(), row)


def by_reference(connection: Connection, reference: str) -> ReviewItem | None:
    """One item by its public reference, `rev_…`."""
    return _one(connection, _SELECT.where(review_items.c.reference == reference))


def of_payment(connection: Connection, payment_id: int, *, only_open: bool = False) -> list[ReviewItem]:
    """A payment's items, oldest first."""
    query = _SELECT.where(review_items.c.payment_id == payment_id).order_by(review_items.c.id)
    return _all(connection, query.where(review_items.c.resolved_at.is_(None)) if only_open else query)


def page(
    connection: Connection, *, limit: int, before: int | None = None, after: int | None = None, only_open: bool = True
) -> list[ReviewItem]:
    """At most `limit` items with ids below `before`, newest first; or above `after`, oldest first."""
    query = _SELECT.limit(limit).order_by(review_items.c.id if after is not None else review_items.c.id.desc())
    if before is not None:
        query = query.where(review_items.c.id < before)
    if after is not None:
        query = query.where(review_items.c.id > after)
    if only_open:
        query = query.where(review_items.c.resolved_at.is_(None))
    return _all(connection, query)


def resolve(
    connection: Connection, item_id: int, *, action: str, operator: str, note: str | None, now: datetime
) -> bool:
    """Close an item; False where it is closed already."""
    closed = connection.execute(
        update(review_items)
        .where(review_items.c.id == item_id, review_items.c.resolved_at.is_(None))
        .values(resolved_at=now, action=action, operator=operator, note=note)
    )
    return closed.rowcount == 1


def answer_doubts(
    connection: Connection, payment_id: int, *, operator: str, now: datetime, but: int | None = None
) -> None:
    """Close what asks whether a payment was paid at all: Bakong or a person has answered. `but` is left open."""
    connection.execute(
        update(review_items)
        .where(
            review_items.c.id != (but or 0),
            review_items.c.payment_id == payment_id,
            review_items.c.kind == "unverifiable",
            review_items.c.resolved_at.is_(None),
        )
        .values(resolved_at=now, action="answered", operator=operator)
    )


def was_disowned(connection: Connection, payment_id: int, tx_hash: str) -> bool:
    """Whether an operator said of another payment's transaction that it isn't this payment's money."""
    return any(
        item.action == "not_ours" and item.kind == "used_elsewhere" and (item.details or {}).get("tx_hash") == tx_hash
        for item in of_payment(connection, payment_id)
    )


def _one(connection: Connection, query: Select[Any]) -> ReviewItem | None:
    items = _all(connection, query)
    return items[0] if items else None


def _all(connection: Connection, query: Select[Any]) -> list[ReviewItem]:
    return [ReviewItem(**row) for row in connection.execute(query).mappings()]
