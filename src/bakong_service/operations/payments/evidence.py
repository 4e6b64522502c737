"""Stores what an outcome says about money: the receipt, and the review item if an operator has to decide."""

from typing import Any

from bakong_service.domain.outcome import Outcome
from bakong_service.domain.payment import Payment, Transition
from bakong_service.domain.review import Disposition, ReviewKind
from bakong_service.operations.ledger import moving
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.payments import receipts, reviews
from bakong_service.storage.payments.receipts import Receipt


def keep(
    work: UnitOfWork,
    payment: Payment,
    row: Transition,
    outcome: Outcome,
    *,
    kind: ReviewKind | None = None,
    details: dict[str, Any] | None = None,
) -> Receipt | None:
    """Store the receipt and open the review item that a row of the table asks for.

    `kind` is the kind of the review item; without it, the row's kind is used. Money that an operator has to decide
    about waits in a ledger account. Return the receipt if one was written.
    """
    receipt = None
    if row.receipt is not None and outcome.sighting is not None:
        receipt_id = work.number()
        kept = receipts.record(
            work.connection,
            work.business.vault,
            receipt_id,
            payment,
            outcome.sighting,
            disposition=row.receipt,
            raw=outcome.raw,
            now=work.now,
        )
        # If it wasn't stored, the transaction has a receipt already, and that receipt has the facts.
        receipt = receipts.by_id(work.connection, receipt_id) if kept else None
    if receipt is not None and row.receipt is Disposition.OPEN:
        moving.await_decision(work, receipt, cause=payment.reference)
    if row.review is not None:
        open_item(
            work,
            payment,
            kind=ReviewKind(kind or row.review),
            receipt_id=None if receipt is None else receipt.id,
            details=details,
            raw=outcome.raw if outcome.sighting is None else None,
        )
    return receipt


def open_item(
    work: UnitOfWork,
    payment: Payment,
    *,
    kind: ReviewKind,
    receipt_id: int | None = None,
    details: dict[str, Any] | None = None,
    raw: str | None = None,
) -> str:
    """Open a review item and return its reference (`rev_...`)."""
    reference = work.reference("rev")
    reviews.add(
        work.connection,
        item_id=work.number(),
        reference=reference,
        kind=kind,
        payment_id=payment.id,
        receipt_id=receipt_id,
        details=details,
        raw=None if raw is None else work.business.vault.seal(raw, f"review_items.raw_enc.{reference}"),
        now=work.now,
    )
    return reference
