"""What an operator decides: about money in the review queue, and about money that was given back.

Four answers: `accept` (it is the payment), `credit` (it is the user's credit), `refunded` (it was sent back outside,
the Open API can't), `not_ours`. Each closes its item, says so in the receipt, and is in the audit with its operator.
"""

from datetime import datetime
from functools import partial
from typing import Any

from attrs import evolve
from sqlalchemy import Connection

from bakong_service.domain.errors import Conflict, Fault, Invalid, NotFound
from bakong_service.domain.payment import Flag, On, Payment, PaymentStatus, Transition, find
from bakong_service.operations import credit, effects, reversing
from bakong_service.operations.business import Business
from bakong_service.operations.transition import carry_out
from bakong_service.storage import audit, payments, receipts, reviews
from bakong_service.storage.receipts import Receipt
from bakong_service.storage.reviews import ReviewItem
from bakong_service.storage.subscriptions import lock_user

ACTIONS = {"accept": On.ACCEPT, "credit": On.CREDIT, "refunded": On.RETURNED, "not_ours": On.NOT_OURS}


def resolve(
    connection: Connection,
    business: Business,
    reference: str,
    *,
    action: str,
    operator: str,
    note: str | None = None,
    now: datetime,
) -> Payment:
    """Resolve a review item (M19 to M22); its payment as it then stands.

    `note` is required for `refunded` (which transfer) and for `not_ours` (why). Raises `NotFound`, `Invalid`,
    or `Conflict` where the payment doesn't allow it: `review_resolved`, `effect_no_longer_valid`,
    `money_used_elsewhere`, `no_money_to_credit`.
    """
    on = ACTIONS.get(action)
    if on is None:
        raise _invalid("/action", "unknown_action", f"{action!r} isn't one of {', '.join(ACTIONS)}")
    if on in (On.RETURNED, On.NOT_OURS) and not (note or "").strip():
        what = "the reference of the transfer" if on is On.RETURNED else "why it isn't ours"
        raise _invalid("/note", "required", f"{action} needs a note: {what}")
    item, payment = _held(connection, reference)
    receipt = None if item.receipt_id is None else receipts.by_id(connection, item.receipt_id)
    row = find(payment, on)
    if on is On.ACCEPT and not effects.possible(connection, payment, now=now):
        detail = f"what {payment.reference} was for can't be had any more: credit the money, or send it back"
        raise Conflict("effect_no_longer_valid", detail)
    if on is On.ACCEPT:
        _check_unused(connection, item)
        reviews.answer_doubts(connection, payment.id, operator=operator, now=now, but=item.id)
    if on is On.CREDIT:
        _grant(connection, business, payment, item, receipt, now)
    reviews.resolve(connection, item.id, action=action, operator=operator, note=note, now=now)
    if receipt is not None and row.receipt is not None:
        receipts.dispose(connection, receipt.id, row.receipt)
    _audit(connection, business, "review.resolved", item.reference, payment, operator, action, note, now)
    others = reviews.of_payment(connection, payment.id, only_open=True)
    if row.to is None or (on is On.NOT_OURS and others):
        return payment  # other money of this payment is still to be decided about
    return _change(connection, business, payment, row, receipt, action, operator, note, now)


def record_refund(
    connection: Connection,
    business: Business,
    reference: str,
    *,
    refund_reference: str,
    reverse: bool,
    operator: str,
    now: datetime,
) -> Payment:
    """Record that a paid payment was refunded outside (M23). What it bought is taken back only with `reverse`.

    Raises `NotFound`, `Invalid`, or `Conflict` where it isn't paid, or is on the user's credit.
    """
    if not refund_reference.strip():
        raise _invalid("/refund_reference", "required", "name the transfer that sent the money back")
    found = payments.by_reference(connection, reference)
    if found is None:
        raise NotFound("payment_not_found", f"there is no payment {reference!r}")
    payment = _locked(connection, found)
    row = find(payment, On.REFUND)
    if Flag.CREDITED in payment.flags:
        raise Conflict("payment_is_credit", f"the money of {reference} is on the user's credit, which may be spent")
    for receipt in receipts.of_payment(connection, payment.id):
        receipts.dispose(connection, receipt.id, "refunded", was="applied")
    if reverse and payment.plan is not None:
        reversing.reverse(connection, business, payment, actor=operator, now=now)
    _audit(connection, business, "payment.refunded", reference, payment, operator, "refunded", refund_reference, now)
    metadata = {"refund_reference": refund_reference, "reversed": reverse}
    return carry_out(connection, business, payment, row, reason="refunded", actor=operator, metadata=metadata, now=now)


def _change(
    connection: Connection,
    business: Business,
    payment: Payment,
    row: Transition,
    receipt: Receipt | None,
    action: str,
    operator: str,
    note: str | None,
    now: datetime,
) -> Payment:
    paid = row.to is PaymentStatus.PAID
    effect = partial(effects.apply, connection, business, paid_at=now, now=now) if row.on is On.ACCEPT else None
    return carry_out(
        connection,
        business,
        evolve(payment, unreadable=0),
        row,
        reason=f"review_{action}",
        actor=operator,
        metadata=None if note is None else {"note": note},
        paid_at=_sent_at(receipt) or now if paid else None,
        effect=effect,
        now=now,
    )


def _check_unused(connection: Connection, item: ReviewItem) -> None:
    """One transfer pays one payment, whoever says otherwise: the other one has to be disowned first."""
    tx_hash = (item.details or {}).get("tx_hash") if item.kind == "used_elsewhere" else None
    receipt = None if tx_hash is None else receipts.by_hash(connection, tx_hash)
    if receipt is not None and receipt.disposition != "rejected":
        detail = f"the transaction {tx_hash} is another payment's money, where it is {receipt.disposition}"
        raise Conflict("money_used_elsewhere", detail)


def _grant(
    connection: Connection,
    business: Business,
    payment: Payment,
    item: ReviewItem,
    receipt: Receipt | None,
    now: datetime,
) -> None:
    """Put the money on the user's credit: what came, not what was asked for."""
    money = None if receipt is None else receipt.money
    if money is None or payment.user_id is None:
        detail = f"{item.reference} has no amount, or {payment.reference} no user, that credit could be given for"
        raise Conflict("no_money_to_credit", detail)
    credit.grant(
        connection, business, user_id=payment.user_id, amount=money, reason="review", source=item.reference, now=now
    )


def _held(connection: Connection, reference: str) -> tuple[ReviewItem, Payment]:
    item = reviews.by_reference(connection, reference)
    if item is None:
        raise NotFound("review_not_found", f"there is no review item {reference!r}")
    payment = payments.by_id(connection, item.payment_id)
    assert payment is not None
    payment = _locked(connection, payment)
    item = reviews.by_reference(connection, reference)
    assert item is not None
    if item.resolved_at is not None:
        raise Conflict("review_resolved", f"{reference} was resolved by {item.operator}: {item.action}")
    return item, payment


def _locked(connection: Connection, payment: Payment) -> Payment:
    """The payment and its user, held until the end of the transaction."""
    if payment.user_id is not None:
        lock_user(connection, payment.user_id)
    held = payments.lock(connection, payment.id)
    assert held is not None
    return held


def _sent_at(receipt: Receipt | None) -> datetime | None:
    return None if receipt is None else receipt.sent_at or receipt.acknowledged_at


def _audit(
    connection: Connection,
    business: Business,
    event: str,
    subject: str,
    payment: Payment,
    operator: str,
    action: str,
    note: str | None,
    now: datetime,
) -> None:
    details: dict[str, Any] = {"payment": payment.reference, "action": action, "note": note}
    audit.write(
        connection, business.identifiers, action=event, actor=operator, subject=subject, details=details, now=now
    )


def _invalid(pointer: str, code: str, message: str) -> Invalid:
    return Invalid(code, message, (Fault(pointer, code, message),))
