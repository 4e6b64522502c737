"""Payments as rows: made, found, locked, changed only from the state they were read in."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, Row, Select, bindparam, func, select, update

from bakong_service.domain.identifiers import least_number
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, PaymentStatus, Purpose
from bakong_service.domain.watching import Look
from bakong_service.storage.inserting import insert_row
from bakong_service.storage.schema import payments, subscriptions

_NOTED = (
    "next_check_at", "next_check_reason", "priority", "last_check_at", "last_outcome", "last_conclusive_at",
    "failed_at", "unreadable", "checks", "no_answers", "hint_at", "hints", "viewed_at",
)  # fmt: skip
_CHANGED = ("flags", "paid_at", *_NOTED)
_MADE = (
    "id", "reference", "bill_number", "md5", "user_id", "purpose", "plan", "plan_version", "subscription_id", "quote",
    "description", "metadata", "credit_reserved", "to_account", "status", "version", "created_at", "qr_expires_at",
    "deadline_at", "watch_until", "next_check_at", "next_check_reason", "priority",
)  # fmt: skip
_PLAIN = [payments.c[name] for name in dict.fromkeys((*_MADE, "fence", *_CHANGED))]
_SELECT = select(
    *_PLAIN,
    payments.c.qr_enc.label("qr"),
    payments.c.amount.label("minor"),
    payments.c.currency,
    subscriptions.c.reference.label("subscription"),
).select_from(payments.outerjoin(subscriptions, subscriptions.c.id == payments.c.subscription_id))
_NAMES = tuple(_SELECT.selected_columns.keys())
# Made once: SQLAlchemy takes longer to compare forty columns with what it has compiled than SQLite to find the row.
_BY = {
    name: _SELECT.where(payments.c[name] == bindparam("wanted")) for name in ("id", "reference", "md5", "bill_number")
}
_LOCK = _BY["id"].with_for_update(of=payments)


class StateMoved(Exception):  # noqa: N818 - what happened
    """A payment changed between being read and being written: whoever changed it held no lock."""


def add(connection: Connection, payment: Payment) -> None:
    """Insert a payment that was just made: what only the watcher writes has the schema's defaults."""
    row = {name: getattr(payment, name) for name in _MADE}
    row |= {"qr_enc": payment.qr, "amount": payment.amount.minor, "currency": payment.amount.currency}
    insert_row(connection, payments, row)


def by_id(connection: Connection, payment_id: int) -> Payment | None:
    """One payment."""
    return _one(connection, _BY["id"], payment_id)


def by_reference(connection: Connection, reference: str) -> Payment | None:
    """One payment by its public reference, `pay_…`."""
    return _one(connection, _BY["reference"], reference)


def by_md5(connection: Connection, md5: str) -> Payment | None:
    """One payment by the MD5 that Bakong knows it by."""
    return _one(connection, _BY["md5"], md5)


def by_bill_number(connection: Connection, bill_number: str) -> Payment | None:
    """One payment by the bill number in its QR."""
    return _one(connection, _BY["bill_number"], bill_number)


def lock(connection: Connection, payment_id: int) -> Payment | None:
    """One payment, held until the end of the transaction."""
    return _one(connection, _LOCK, payment_id)


def lock_all(connection: Connection, payment_ids: Iterable[int]) -> list[Payment]:
    """Payments by id, held until the end of the transaction; always locked in the same order."""
    query = _SELECT.where(payments.c.id.in_(sorted(payment_ids))).order_by(payments.c.id)
    return [_payment(row) for row in connection.execute(query.with_for_update(of=payments))]


def lock_pending_of(connection: Connection, user_id: str, purposes: Iterable[Purpose]) -> list[Payment]:
    """The open payments of a user for these purposes, held until the end of the transaction."""
    query = _SELECT.where(
        payments.c.user_id == user_id,
        payments.c.status == PaymentStatus.PENDING.value,
        payments.c.purpose.in_([purpose.value for purpose in purposes]),
    ).order_by(payments.c.id)
    return [_payment(row) for row in connection.execute(query.with_for_update(of=payments))]


def count_pending_of(connection: Connection, user_id: str, purpose: Purpose, *, at_most: int) -> int:
    """How many open payments a user has for a purpose; it stops counting at `at_most`."""
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


def page(
    connection: Connection,
    *,
    limit: int,
    before: int | None = None,
    after: int | None = None,
    user_id: str | None = None,
    status: PaymentStatus | None = None,
    created_from: datetime | None = None,
    created_until: datetime | None = None,
    md5: str | None = None,
    bill_number: str | None = None,
) -> list[Payment]:
    """At most `limit` payments with ids below `before`, newest first; or above `after`, oldest first.

    `created_until` is exclusive.
    """
    query = _SELECT.limit(limit).order_by(payments.c.id if after is not None else payments.c.id.desc())
    if before is not None:
        query = query.where(payments.c.id < before)
    if after is not None:
        query = query.where(payments.c.id > after)
    if user_id is not None:
        query = query.where(payments.c.user_id == user_id)
    if status is not None:
        query = query.where(payments.c.status == status.value)
    if created_from is not None:
        query = query.where(payments.c.id >= least_number(created_from))
    if created_until is not None:
        query = query.where(payments.c.id < least_number(created_until))
    if md5 is not None:
        query = query.where(payments.c.md5 == md5)
    if bill_number is not None:
        query = query.where(payments.c.bill_number == bill_number)
    return [_payment(row) for row in connection.execute(query)]


def save(connection: Connection, old: Payment, new: Payment) -> Payment:
    """Change a payment from the state it was read in, raise its version and let go of its lease.

    Raises `StateMoved` where it isn't in that state any more.
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
    """Write what the watcher learnt about payments whose state stays, and let go of their leases.

    A payment that was claimed again since (its fence moved on) keeps what the newer claim says.
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
    """Write that somebody waits for a payment, and that it is looked at sooner. A claim that stands isn't disturbed."""
    hastened = ("hint_at", "hints", "viewed_at", "next_check_at", "next_check_reason", "priority")
    values = {name: getattr(payment, name) for name in hastened}
    connection.execute(update(payments).where(payments.c.id == payment.id).values(values))


def assign(connection: Connection, payment: Payment, *, subscription: str) -> int:
    """Note which subscription a payment went to, by its reference; the subscription's id."""
    found: int = connection.execute(
        select(subscriptions.c.id).where(subscriptions.c.reference == subscription)
    ).scalar_one()
    connection.execute(update(payments).where(payments.c.id == payment.id).values(subscription_id=found))
    return found


def looking(payment: Payment, look: Look) -> Payment:
    """The payment with its next look."""
    return evolve(payment, next_check_at=look.at, next_check_reason=look.reason, priority=look.priority)


def _one(connection: Connection, query: Select[Any], wanted: int | str) -> Payment | None:
    row = connection.execute(query, {"wanted": wanted}).one_or_none()
    return None if row is None else _payment(row)


def _payment(row: Row[*tuple[Any, ...]]) -> Payment:
    fields = dict(zip(_NAMES, row, strict=True))
    amount = Money(fields.pop("minor"), fields.pop("currency"))
    status, purpose = PaymentStatus(fields.pop("status")), Purpose(fields.pop("purpose"))
    return Payment(amount=amount, status=status, purpose=purpose, **fields)
