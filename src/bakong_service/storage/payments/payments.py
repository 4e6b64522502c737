"""Rows of payments: they are added, found and locked, and changed only from the state in which they were read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve, fields_dict
from sqlalchemy import Connection, Select, Text, bindparam, func, literal, or_, select, text, type_coerce, update

from bakong_service.domain.identifiers import least_number
from bakong_service.domain.look import LookReason
from bakong_service.domain.money import Money
from bakong_service.domain.payment import UNPAID, Flag, Payment, PaymentStatus, Purpose
from bakong_service.domain.return_urls import ReturnURLs
from bakong_service.domain.watching import Look
from bakong_service.storage.engine.inserting import insert_row
from bakong_service.storage.engine.paging import newest_first
from bakong_service.storage.engine.prepared import plain, prepared
from bakong_service.storage.schema import payment_metadata, payments, subscriptions

_LOOK = ("next_check_at", "next_check_reason", "priority")
_NOTED = (
    *_LOOK, "last_check_at", "last_outcome", "last_conclusive_at", "failed_at", "unreadable", "checks", "no_answers",
    "hint_at", "hints", "viewed_at",
)  # fmt: skip
_CHANGED = ("flags", "paid_at", *_NOTED)
# The columns that a field of `Payment` is kept in as it is. Those that change later get the schema's defaults at first.
_PLAIN = [column for column in payments.c if column.name in fields_dict(Payment) and column.name != "amount"]
_MADE = plain(column.name for column in _PLAIN if column.name in _LOOK or column.name not in ("fence", *_CHANGED))
_SELECT = select(
    *_PLAIN,
    payments.c.qr_enc.label("qr"),
    payments.c.amount.label("minor"),
    payments.c.currency,
    subscriptions.c.reference.label("subscription"),
).select_from(payments.outerjoin(subscriptions, subscriptions.c.id == payments.c.subscription_id))
_NAMES = plain(_SELECT.selected_columns.keys())
# Made once, for `prepared` knows a statement by its identity.
_BY = {
    name: _SELECT.where(payments.c[name] == bindparam("wanted"))
    for name in ("id", "reference", "md5", "bill_number", "replaces")
}
_LOCK = _BY["id"].with_for_update(of=payments)


class StateMoved(Exception):  # noqa: N818 - what happened
    """A payment was changed after it was read and before it was written, by a caller without a lock."""


def add(connection: Connection, payment: Payment) -> None:
    """Insert a new payment."""
    row = {name: getattr(payment, name) for name in _MADE}
    urls = payment.return_urls
    row["return_urls"] = urls.to_dict() if urls is not None and any(urls.given()) else None
    row |= {"qr_enc": payment.qr, "amount": payment.amount.minor, "currency": payment.amount.currency}
    insert_row(connection, payments, row)
    for name, value in (payment.metadata or {}).items():
        insert_row(connection, payment_metadata, {"name": name, "value": value, "payment_id": payment.id})


def by_id(connection: Connection, payment_id: int) -> Payment | None:
    """Return a payment by its internal id."""
    return _one(connection, _BY["id"], payment_id)


def by_reference(connection: Connection, reference: str) -> Payment | None:
    """Return a payment by its public reference, `pay_…`."""
    return _one(connection, _BY["reference"], reference)


def by_md5(connection: Connection, md5: str) -> Payment | None:
    """Return a payment by the MD5 of its QR, by which Bakong knows it."""
    return _one(connection, _BY["md5"], md5)


def by_bill_number(connection: Connection, bill_number: str) -> Payment | None:
    """Return a payment by the bill number in its QR."""
    return _one(connection, _BY["bill_number"], bill_number)


def by_replaced(connection: Connection, reference: str) -> Payment | None:
    """Return the payment that was made for the expired code of another, by the reference of that other payment."""
    return _one(connection, _BY["replaces"], reference)


def lock(connection: Connection, payment_id: int) -> Payment | None:
    """Return a payment, locked until the end of the transaction."""
    return _one(connection, _LOCK, payment_id)


def lock_all(connection: Connection, payment_ids: Iterable[int]) -> list[Payment]:
    """Return payments by id, locked until the end of the transaction, always in the same order."""
    query = _SELECT.where(payments.c.id.in_(sorted(payment_ids))).order_by(payments.c.id)
    return [_payment(row) for row in connection.execute(query.with_for_update(of=payments))]


def lock_pending_of(connection: Connection, user_id: str, purposes: Iterable[Purpose]) -> list[Payment]:
    """Return the open payments of a user for these purposes, locked until the end of the transaction."""
    query = _SELECT.where(
        payments.c.user_id == user_id,
        payments.c.status == PaymentStatus.PENDING.value,
        payments.c.purpose.in_([purpose.value for purpose in purposes]),
    ).order_by(payments.c.id)
    return [_payment(row) for row in connection.execute(query.with_for_update(of=payments))]


def count_pending_of(connection: Connection, user_id: str, purpose: Purpose, *, at_most: int) -> int:
    """Return how many open payments a user has for a purpose; counting stops at `at_most`."""
    some = (
        select(payments.c.id)
        .where(
            payments.c.user_id == user_id,
            payments.c.status == PaymentStatus.PENDING.value,
            payments.c.purpose == purpose.value,
        )
        .limit(at_most)
    )
    return connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()


def unpaid_watched_since(connection: Connection, since: datetime, *, above: int, limit: int) -> list[int]:
    """Return the ids, above `above` and in their order, of payments without money that were watched at `since` or
    later."""
    watched = or_(
        payments.c.next_check_at.is_not(None), payments.c.watch_until >= since, payments.c.last_check_at >= since
    )
    unpaid = payments.c.status.in_([status.value for status in UNPAID])
    query = select(payments.c.id).where(payments.c.id > above, unpaid, watched).order_by(payments.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def page(
    connection: Connection,
    *,
    limit: int,
    below: int | None = None,
    above: int | None = None,
    user_id: str | None = None,
    status: PaymentStatus | None = None,
    created_from: datetime | None = None,
    created_until: datetime | None = None,
    md5: str | None = None,
    bill_number: str | None = None,
    plan: str | None = None,
    amount: Money | None = None,
    currency: str | None = None,
    paid_from: datetime | None = None,
    paid_until: datetime | None = None,
    flag: Flag | None = None,
    description: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> list[Payment]:
    """Return at most `limit` payments with ids below `below`, newest first; or above `above`, oldest first.

    `created_until` and `paid_until` are exclusive; `description` is how the description begins.
    """
    filters = (
        (payments.c.user_id, user_id),
        (payments.c.status, status),
        (payments.c.md5, md5),
        (payments.c.bill_number, bill_number),
        (payments.c.plan, plan),
        (payments.c.amount, None if amount is None else amount.minor),
        (payments.c.currency, currency if amount is None else amount.currency),
    )
    query = newest_first(_SELECT, payments.c.id, *filters, below=below, above=above, limit=limit)
    if created_from is not None:
        query = query.where(payments.c.id >= least_number(created_from))
    if created_until is not None:
        query = query.where(payments.c.id < least_number(created_until))
    if paid_from is not None:
        query = query.where(payments.c.paid_at >= paid_from)
    if paid_until is not None:
        query = query.where(payments.c.paid_at < paid_until)
    if flag is not None:
        flags = literal(" ") + type_coerce(payments.c.flags, Text) + literal(" ")
        query = query.where(text("payments.flags <> ''"), flags.contains(f" {flag.value} "))
    if description is not None:
        query = query.where(func.substr(payments.c.description, 1, len(description)) == description)
    for name, value in (metadata or {}).items():
        named = (payment_metadata.c.name == name, payment_metadata.c.value == value)
        query = query.where(payments.c.id.in_(select(payment_metadata.c.payment_id).where(*named)))
    return [_payment(row) for row in connection.execute(query)]


def save(connection: Connection, old: Payment, new: Payment) -> Payment:
    """Change a payment from the state in which it was read, raise its version and release its lease.

    Raises `StateMoved` if it isn't in that state any more.
    """
    version = old.version + 1
    written = connection.execute(
        update(payments)
        .where(payments.c.id == old.id, payments.c.version == old.version, payments.c.status == old.status.value)
        .values(
            status=new.status.value, version=version, lease_until=0, **{name: getattr(new, name) for name in _CHANGED}
        )
    )
    if written.rowcount != 1:
        raise StateMoved(f"payment {old.reference} isn't {old.status.value} at version {old.version} any more")
    return evolve(new, version=version)


_NOTE = (
    update(payments)
    .where(payments.c.id == bindparam("payment_id"), payments.c.fence == bindparam("held_fence"))
    .values(lease_until=0, **{name: bindparam(name) for name in _NOTED})
)


def note_all(connection: Connection, noted: Sequence[Payment]) -> None:
    """Write what the watcher learnt about payments whose status stays, and release their leases.

    If a payment was claimed again meanwhile, its fence has changed, and it stays as the newer claim has it.
    """
    if noted:
        connection.execute(
            _NOTE,
            [
                {
                    "payment_id": payment.id,
                    "held_fence": payment.fence,
                    **{name: getattr(payment, name) for name in _NOTED},
                }
                for payment in noted
            ],
        )


def hasten(connection: Connection, payment: Payment) -> None:
    """Write an earlier next look, because somebody waits for the payment. A present claim isn't disturbed."""
    hastened = ("hint_at", "hints", "viewed_at", "next_check_at", "next_check_reason", "priority")
    values = {name: getattr(payment, name) for name in hastened}
    connection.execute(update(payments).where(payments.c.id == payment.id).values(values))


def assign(connection: Connection, payment: Payment, *, subscription: str) -> int:
    """Write which subscription a payment belongs to, by its reference. Return the subscription's id."""
    found: int = connection.execute(
        select(subscriptions.c.id).where(subscriptions.c.reference == subscription)
    ).scalar_one()
    connection.execute(update(payments).where(payments.c.id == payment.id).values(subscription_id=found))
    return found


def looking(payment: Payment, look: Look) -> Payment:
    """Return the payment with its next look."""
    return evolve(payment, next_check_at=look.at, next_check_reason=look.reason, priority=look.priority)


def _one(connection: Connection, query: Select[Any], wanted: int | str) -> Payment | None:
    row = prepared(connection.dialect, query).first(connection, {"wanted": wanted})
    return None if row is None else _payment(row)


def _payment(row: Iterable[Any]) -> Payment:
    fields = dict(zip(_NAMES, row, strict=True))
    amount = Money(fields.pop("minor"), fields.pop("currency"))
    status, purpose = PaymentStatus(fields.pop("status")), Purpose(fields.pop("purpose"))
    if fields["next_check_reason"] is not None:
        fields["next_check_reason"] = LookReason(fields["next_check_reason"])
    urls = fields.pop("return_urls")
    return_urls = None if urls is None else ReturnURLs(**urls)
    return Payment(amount=amount, status=status, purpose=purpose, return_urls=return_urls, **fields)
