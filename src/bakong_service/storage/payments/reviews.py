"""Review items: money, or possible money, that an operator has to decide about."""

from datetime import datetime
from typing import Any, Literal

from attrs import frozen
from sqlalchemy import Connection, Select, insert, select, update

from bakong_service.domain.review import Decision, ReviewKind
from bakong_service.storage.engine.paging import newest_first
from bakong_service.storage.schema import payments, review_items


@frozen(kw_only=True)
class ReviewItem:
    """A review item. `details` say what was expected and what was seen; `action` is None while the item is open."""

    id: int
    reference: str
    kind: ReviewKind
    payment_id: int
    payment: str  # its reference
    receipt_id: int | None
    details: dict[str, Any] | None
    raw: bytes | None  # an answer of Bakong that couldn't be read, sealed
    opened_at: datetime
    resolved_at: datetime | None
    action: Literal[Decision, "answered"] | None  # answered: what was in doubt is known now
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
    kind: ReviewKind,
    payment_id: int,
    receipt_id: int | None,
    details: dict[str, Any] | None,
    raw: bytes | None,
    now: datetime,
) -> None:
    """Open an item. The database refuses a second open item for the same receipt."""
    row = {
        "id": item_id, "reference": reference, "kind": kind.value, "payment_id": payment_id, "receipt_id": receipt_id,
        "details": details, "raw_enc": raw, "opened_at": now,
    }  # fmt: skip
    connection.execute(insert(review_items).inline(), row)


def by_reference(connection: Connection, reference: str) -> ReviewItem | None:
    """Return an item by its public reference, `rev_…`."""
    return _one(connection, _SELECT.where(review_items.c.reference == reference))


def of_payment(connection: Connection, payment_id: int, *, only_open: bool = False) -> list[ReviewItem]:
    """Return a payment's items, oldest first."""
    query = _SELECT.where(review_items.c.payment_id == payment_id).order_by(review_items.c.id)
    return _all(connection, query.where(review_items.c.resolved_at.is_(None)) if only_open else query)


def page(
    connection: Connection, *, limit: int, below: int | None = None, above: int | None = None, only_open: bool = True
) -> list[ReviewItem]:
    """Return at most `limit` items with ids below `below`, newest first, or above `above`, oldest first."""
    query = newest_first(_SELECT, review_items.c.id, below=below, above=above, limit=limit)
    if only_open:
        query = query.where(review_items.c.resolved_at.is_(None))
    return _all(connection, query)


def resolve(
    connection: Connection, item_id: int, *, action: str, operator: str, note: str | None, now: datetime
) -> bool:
    """Resolve an item. Return False if it is resolved already."""
    closed = connection.execute(
        update(review_items)
        .where(review_items.c.id == item_id, review_items.c.resolved_at.is_(None))
        .values(resolved_at=now, action=action, operator=operator, note=note)
    )
    return closed.rowcount == 1


def answer_doubts(
    connection: Connection, payment_id: int, *, operator: str, now: datetime, but: int | None = None
) -> None:
    """Resolve the items that ask whether a payment was paid at all, because that is known now. `but` stays open."""
    connection.execute(
        update(review_items)
        .where(
            review_items.c.id != (but or 0),
            review_items.c.payment_id == payment_id,
            review_items.c.kind == ReviewKind.UNVERIFIABLE.value,
            review_items.c.resolved_at.is_(None),
        )
        .values(resolved_at=now, action="answered", operator=operator)
    )


def was_disowned(connection: Connection, payment_id: int, tx_hash: str) -> bool:
    """Return whether an operator said that another payment's transaction isn't this payment's money."""
    return any(
        item.action == "not_ours"
        and item.kind is ReviewKind.USED_ELSEWHERE
        and (item.details or {}).get("tx_hash") == tx_hash
        for item in of_payment(connection, payment_id)
    )


def _one(connection: Connection, query: Select[Any]) -> ReviewItem | None:
    items = _all(connection, query)
    return items[0] if items else None


def _all(connection: Connection, query: Select[Any]) -> list[ReviewItem]:
    return [ReviewItem(**{**row, "kind": ReviewKind(row["kind"])}) for row in connection.execute(query).mappings()]
