"""Receipts: the facts that money came. Of a receipt only its disposition, the decision about it, ever changes."""

from datetime import datetime
from typing import Any

from attrs import field, frozen
from sqlalchemy import Connection, select, text, update
from sqlalchemy.engine import RowMapping

from bakong_service.domain.money import EXPONENTS, Money
from bakong_service.domain.outcome import Sighting
from bakong_service.domain.payment import Payment
from bakong_service.domain.review import Disposition
from bakong_service.storage.engine.inserting import insert_new
from bakong_service.storage.engine.paging import newest_first
from bakong_service.storage.schema import receipts
from bakong_service.vault import Vault

PROVIDER = "bakong"

_LOCK_TRANSACTION = text("SELECT pg_advisory_xact_lock(hashtextextended(:tx_hash, 7239))")


@frozen(kw_only=True)
class Receipt:
    """A stored sighting. `amount` is Bakong's text in major units; `minor` is None if it isn't whole minor units."""

    id: int
    tx_hash: str
    payment_id: int
    amount: str
    minor: int | None
    currency: str
    to_account: str
    from_account: bytes | None = field(repr=False)  # sealed
    external_ref: str | None
    sent_at: datetime | None
    acknowledged_at: datetime | None
    seen_at: datetime
    disposition: Disposition

    @property
    def money(self) -> Money | None:
        """The money that came; None if it isn't whole minor units of a known currency."""
        return None if self.minor is None else Money(self.minor, self.currency)


_COLUMNS = (
    receipts.c.id, receipts.c.tx_hash, receipts.c.payment_id, receipts.c.amount, receipts.c.amount_minor.label("minor"),
    receipts.c.currency, receipts.c.to_account, receipts.c.from_account_enc.label("from_account"),
    receipts.c.external_ref, receipts.c.sent_at, receipts.c.acknowledged_at, receipts.c.seen_at, receipts.c.disposition,
)  # fmt: skip


def lock_transaction(connection: Connection, tx_hash: str) -> None:
    """Keep other transactions from judging the same money until this one ends. SQLite has one writer.

    The lock is taken after the payment's row. Without it, two payments to which Bakong shows the same transfer at the
    same moment would both find no receipt of it, and both would be paid.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK_TRANSACTION, {"tx_hash": tx_hash})


def record(
    connection: Connection,
    vault: Vault,
    receipt_id: int,
    payment: Payment,
    sighting: Sighting,
    *,
    disposition: Disposition,
    raw: str | None,
    now: datetime,
) -> bool:
    """Write a sighting as a receipt. Return False, and write nothing, if its transaction has a receipt already."""
    tx_hash, payer = sighting.tx_hash, sighting.from_account
    row = {
        "id": receipt_id,
        "provider": PROVIDER,
        "tx_hash": tx_hash,
        "payment_id": payment.id,
        "amount": f"{sighting.amount:f}",
        "amount_minor": _minor(sighting),
        "currency": sighting.currency,
        "to_account": sighting.to_account,
        "from_account_enc": None if payer is None else vault.seal(payer, f"receipts.from_account_enc.{tx_hash}"),
        "external_ref": sighting.external_ref,
        "sent_at": sighting.sent_at,
        "acknowledged_at": sighting.acknowledged_at,
        "seen_at": now,
        "disposition": disposition.value,
        "raw_enc": None if raw is None else vault.seal(raw, f"receipts.raw_enc.{tx_hash}"),
    }
    return insert_new(connection, receipts, row, key=("provider", "tx_hash"))


def by_hash(connection: Connection, tx_hash: str) -> Receipt | None:
    """Return the receipt of a transaction, of any payment."""
    return _one(connection, receipts.c.provider == PROVIDER, receipts.c.tx_hash == tx_hash)


def by_id(connection: Connection, receipt_id: int) -> Receipt | None:
    """Return a receipt by its internal id."""
    return _one(connection, receipts.c.id == receipt_id)


def of_payment(connection: Connection, payment_id: int) -> list[Receipt]:
    """Return all receipts of a payment, oldest first."""
    query = select(*_COLUMNS).where(receipts.c.payment_id == payment_id).order_by(receipts.c.id)
    return [_receipt(row) for row in connection.execute(query).mappings()]


def page(
    connection: Connection, payment_id: int, *, limit: int, below: int | None = None, above: int | None = None
) -> list[Receipt]:
    """Return at most `limit` receipts of a payment with ids below `below`, newest first; or above, oldest first."""
    query = select(*_COLUMNS).where(receipts.c.payment_id == payment_id)
    query = newest_first(query, receipts.c.id, below=below, above=above, limit=limit)
    return [_receipt(row) for row in connection.execute(query).mappings()]


def dispose(
    connection: Connection, receipt_id: int, disposition: Disposition, *, was: Disposition = Disposition.OPEN
) -> bool:
    """Write the decision about a receipt. Return False if its disposition isn't `was` any more."""
    changed = connection.execute(
        update(receipts)
        .where(receipts.c.id == receipt_id, receipts.c.disposition == was.value)
        .values(disposition=disposition.value)
    )
    return changed.rowcount == 1


def _minor(sighting: Sighting) -> int | None:
    if sighting.currency not in EXPONENTS:
        return None
    try:
        return Money.of(sighting.amount, sighting.currency).minor
    except ValueError:  # half a riel is still a fact
        return None


def _one(connection: Connection, *conditions: Any) -> Receipt | None:
    row = connection.execute(select(*_COLUMNS).where(*conditions)).mappings().one_or_none()
    return None if row is None else _receipt(row)


def _receipt(row: RowMapping) -> Receipt:
    return Receipt(**{**row, "disposition": Disposition(row["disposition"])})
