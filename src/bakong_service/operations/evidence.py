"""What is kept of an outcome that concerns money: the receipt, and the item for whoever has to decide about it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bakong_service.domain.outcome import Outcome
from bakong_service.domain.payment import Payment, Transition
from bakong_service.operations.business import Business
from bakong_service.storage import receipts, reviews


def keep(
    connection: Connection,
    business: Business,
    payment: Payment,
    row: Transition,
    outcome: Outcome,
    *,
    kind: str | None = None,
    details: dict[str, Any] | None = None,
    now: datetime,
) -> None:
    """Keep the sighting that a row of the table calls for, and open its review item, of `kind` or else the row's."""
    receipt_id = None
    if row.receipt is not None and outcome.sighting is not None:
        receipt_id = business.identifiers.number(now)
        kept = receipts.record(
            connection,
            business.vault,
            receipt_id,
            payment,
            outcome.sighting,
            disposition=row.receipt,
            raw=outcome.raw,
            now=now,
        )
        if not kept:  # it belongs to another payment, where its facts stand
            receipt_id = None
    if row.review is not None:
        open_item(
            connection,
            business,
            payment,
            kind=kind or row.review,
            receipt_id=receipt_id,
            details=details,
            raw=outcome.raw if outcome.sighting is None else None,
            now=now,
        )


def open_item(
    connection: Connection,
    business: Business,
    payment: Payment,
    *,
    kind: str,
    receipt_id: int | None = None,
    details: dict[str, Any] | None = None,
    raw: str | None = None,
    now: datetime,
) -> str:
    """Open a review item; its reference, `rev_…`."""
    reference = business.identifiers.reference("rev")
    reviews.add(
        connection,
        item_id=business.identifiers.number(now),
        reference=reference,
        kind=kind,
        payment_id=payment.id,
        receipt_id=receipt_id,
        details=details,
        raw=None if raw is None else business.vault.seal(raw, f"review_items.raw_enc.{reference}"),
        now=now,
    )
    return reference
