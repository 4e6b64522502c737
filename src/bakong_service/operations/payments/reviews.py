"""What an operator decides: about money in the review queue, and about money that was sent back.

An operator has four answers: `accept` (the money is for this payment), `credit` (it becomes the user's credit),
`refunded` (it was sent back outside the service), and `not_ours`. Each answer closes the review item and changes the
receipt's disposition, and the audit log keeps it with the operator.

M19 to M25 are rows of the table of transitions in `domain/payment.py`.
"""

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from attrs import evolve

from bakong_service.domain import ledger as accounts
from bakong_service.domain.errors import Conflict, Invalid, NotFound
from bakong_service.domain.ledger import OUTSIDE, Reason
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Flag, On, Payment, PaymentStatus, Transition, find
from bakong_service.domain.purchase import Incoming
from bakong_service.domain.review import Disposition, ReviewKind
from bakong_service.operations.ledger import moving
from bakong_service.operations.payments import effects, refunds
from bakong_service.operations.payments.transition import carry_out
from bakong_service.operations.subscriptions import reversing
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage import history
from bakong_service.storage.payments import payments, receipts, reviews
from bakong_service.storage.payments.receipts import Receipt
from bakong_service.storage.payments.reviews import ReviewItem
from bakong_service.storage.subscriptions.subscriptions import lock_user

_REASONS = {On.CREDIT: Reason.CREDITED, On.RETURNED: Reason.RETURNED, On.NOT_OURS: Reason.NOT_OURS}
ACTIONS: dict[str, On] = {"accept": On.ACCEPT, "credit": On.CREDIT, "refunded": On.RETURNED, "not_ours": On.NOT_OURS}


def resolve(work: UnitOfWork, reference: str, *, action: str, note: str | None = None) -> Payment:
    """Resolve a review item (M19 to M22), and return its payment after that.

    `note` is required for `refunded` (it names the transfer) and for `not_ours` (it says why). Raises `NotFound`,
    `Invalid`, and `Conflict` if the payment doesn't allow the answer.
    """
    on = ACTIONS.get(action)
    if on is None:
        raise Invalid.at("/action", "unknown_action", f"{action} isn't an action; the actions are {', '.join(ACTIONS)}")
    if on in (On.RETURNED, On.NOT_OURS) and not (note or "").strip():
        what = "the reference of the transfer" if on is On.RETURNED else "why the money isn't ours"
        raise Invalid.at("/note", "required", f"{action} needs a note: {what}")
    item, payment = _held(work, reference)
    receipt = None if item.receipt_id is None else receipts.by_id(work.connection, item.receipt_id)
    if on is On.ACCEPT:
        _check_acceptable(payment, item, receipt)
    row = find(payment, on)
    if on is On.ACCEPT and not effects.possible(work, payment):
        detail = f"what {payment.reference} was for isn't available any more: credit the money, or send it back"
        raise Conflict("effect_no_longer_valid", detail)
    if on is On.ACCEPT:
        # The payment is paid now, which answers the other items that ask whether it was paid at all.
        reviews.answer_doubts(work.connection, payment.id, operator=work.actor, now=work.now, but=item.id)
    else:
        _move(work, payment, item, receipt, on)
    reviews.resolve(work.connection, item.id, action=action, operator=work.actor, note=note, now=work.now)
    if receipt is not None and row.receipt is not None:
        receipts.dispose(work.connection, receipt.id, row.receipt)
    _audit(work, "review.resolved", item.reference, payment, action, note)
    others = reviews.of_payment(work.connection, payment.id, only_open=True)
    if row.to is None or (on is On.NOT_OURS and others):
        return payment  # it wasn't in review, or an operator still has to decide about other money of this payment
    return _change(work, payment, row, receipt, action, note)


def record_refund(
    work: UnitOfWork, reference: str, *, refund_reference: str, reverse: bool, amount: Decimal | None = None
) -> Payment:
    """Record that a paid payment was refunded outside the service: all that is left (M23), or `amount` of it (M25).

    Only `reverse` takes back what the refunded money bought: with `amount`, only as much. If the money became credit,
    the credit is always removed, because the user can't keep both. A refund that left the purchase in place may be
    reversed later, by the same request with `reverse`. The event says what was sent back, what is left, and what was
    taken back. Raises `NotFound`, `Invalid`, and `Conflict` if the payment isn't paid, if less is left, if the transfer
    is recorded already, or if the payment was reversed already.
    """
    if not refund_reference.strip():
        raise Invalid.at("/refund_reference", "required", "give the reference of the transfer that sent the money back")
    found = payments.by_reference(work.connection, reference)
    if found is None:
        raise NotFound("payment_not_found", f"there is no payment {reference[:64]}")
    payment = _locked(work, found)
    if reverse and amount is None and payment.status is PaymentStatus.REFUNDED:
        return _reverse_later(work, payment, refund_reference)
    row = find(payment, On.REFUND)
    sendable = refunds.refundable(work.connection, payment)
    assert sendable is not None  # money is left: when the last of it goes back, the payment becomes `refunded`
    _refuse_twice(work, payment, refund_reference)
    part = sendable.part(amount)
    is_whole = part == sendable.left
    if is_whole:
        receipts.dispose(work.connection, sendable.receipt.id, Disposition.REFUNDED, was=sendable.receipt.disposition)
    else:
        row = find(payment, On.REFUND_PART)
    receipt = sendable.receipt.id
    taken = reversing.send_back(work, payment, receipt, reverse=reverse, part=None if is_whole else part)
    details = {"refund": sendable.told(part), "reversed": taken}
    action = "refunded" if is_whole else "partly_refunded"
    _audit(work, f"payment.{action}", reference, payment, action, refund_reference, **sendable.told(part))
    if reverse and is_whole:  # a part doesn't set the flag, because the rest can still be reversed
        payment = evolve(payment, flags=payment.flags | {Flag.REVERSED.value})
    metadata = {"refund_reference": refund_reference, **details}
    return carry_out(work, payment, row, reason=action, metadata=metadata, tells=details)


def _refuse_twice(work: UnitOfWork, payment: Payment, refund_reference: str) -> None:
    """Raise `Conflict` if this transfer is recorded already: a request that is sent twice must not refund twice."""
    changes = history.of_payment(work.connection, payment.id)
    if any((change.metadata or {}).get("refund_reference") == refund_reference for change in changes):
        detail = f"the refund {refund_reference[:64]} of {payment.reference} is recorded already"
        raise Conflict("refund_recorded", detail)


def _reverse_later(work: UnitOfWork, payment: Payment, refund_reference: str) -> Payment:
    """Take back what a payment bought. Its money went back earlier (M24)."""
    row = find(payment, On.REVERSE)
    if Flag.REVERSED in payment.flags or payment.plan is None:
        raise Conflict("nothing_to_reverse", f"{payment.reference} bought nothing that can still be taken back")
    taken = reversing.send_back(work, payment, None, reverse=True)
    _audit(work, "payment.reversed", payment.reference, payment, "reversed", refund_reference)
    metadata = {"refund_reference": refund_reference, "reversed": taken}
    return carry_out(work, payment, row, reason="reversed", metadata=metadata, tells={"reversed": taken})


def _change(
    work: UnitOfWork,
    payment: Payment,
    row: Transition,
    receipt: Receipt | None,
    action: str,
    note: str | None,
) -> Payment:
    # The purchase begins when the payer paid: not before the payment was made, and not in the future.
    sent_at = min(max(_sent_at(receipt) or work.now, payment.created_at), work.now)
    effect, tells = None, {}
    if row.on is On.ACCEPT:
        assert receipt is not None
        assert receipt.money is not None
        incoming = Incoming(receipt_id=receipt.id, money=receipt.money, account=accounts.review(receipt.id))
        effect = partial(effects.apply, work, incoming=incoming, paid_at=sent_at)
        tells = {"received": {"amount": str(receipt.money), "currency": receipt.money.currency}}
        if receipt.currency == payment.amount.currency and receipt.money.minor < payment.amount.minor:
            given = Money(payment.amount.minor - receipt.money.minor, receipt.currency)
            tells["gift"] = {"amount": str(given), "currency": receipt.currency}
    return carry_out(
        work,
        evolve(payment, unreadable=0),  # the operator has decided, so unreadable answers are counted anew
        row,
        reason=f"review_{action}",
        metadata=(tells | ({} if note is None else {"note": note})) or None,
        tells=tells,
        paid_at=sent_at if row.to is PaymentStatus.PAID else None,
        effect=effect,
    )


def _check_acceptable(payment: Payment, item: ReviewItem, receipt: Receipt | None) -> None:
    """Raise `Conflict` unless there is money to accept. One transfer pays one payment, whatever an operator says."""
    if receipt is not None and receipt.money is not None:
        if payment.plan is not None and receipt.currency != payment.amount.currency:
            detail = (
                f"{receipt.money} {receipt.currency} came for {payment.amount} {payment.amount.currency}, and a period "
                "can't hold another currency. Credit the money in its own currency, or send it back"
            )
            raise Conflict("currency_differs", detail)
        return
    if item.kind is ReviewKind.USED_ELSEWHERE:
        tx_hash = (item.details or {}).get("tx_hash")
        detail = f"the transaction {tx_hash} belongs to another payment: decide about the money there"
        raise Conflict("money_used_elsewhere", detail)
    again = f"POST /v1/payments/{payment.reference}/check"
    if payment.status is PaymentStatus.REVIEW:  # the watcher doesn't look at a payment in review
        again = f"resolve {item.reference} as not_ours, and the watcher goes on looking"
    raise Conflict(
        "no_money_seen",
        f"Bakong showed no money for {payment.reference} that can be accepted. Ask for another look: {again}. "
        "If the bank's statement shows the money, give the user credit: POST /v1/users/{user_id}/credit",
    )


def _move(work: UnitOfWork, payment: Payment, item: ReviewItem, receipt: Receipt | None, on: On) -> None:
    """Move the money that came, not the amount that was asked for, to the account that the operator chose."""
    if on is On.CREDIT and (receipt is None or receipt.money is None or payment.user_id is None):
        detail = f"no credit can be given: {item.reference} has no amount, or {payment.reference} has no user"
        raise Conflict("no_money_to_credit", detail)
    if receipt is not None:
        target = accounts.credit(payment.user_id or "") if on is On.CREDIT else OUTSIDE
        moving.decide(work, receipt, target, _REASONS[on], cause=item.reference)


def _held(work: UnitOfWork, reference: str) -> tuple[ReviewItem, Payment]:
    item = reviews.by_reference(work.connection, reference)
    if item is None:
        raise NotFound("review_not_found", f"there is no review item {reference[:64]}")
    payment = payments.by_id(work.connection, item.payment_id)
    assert payment is not None
    payment = _locked(work, payment)
    # Read the item again under the lock: another operator may have resolved it in the meantime.
    item = reviews.by_reference(work.connection, reference)
    assert item is not None
    if item.resolved_at is not None:
        raise Conflict("review_resolved", f"{item.operator} has resolved {reference} already: {item.action}")
    return item, payment


def _locked(work: UnitOfWork, payment: Payment) -> Payment:
    """Lock a payment and its user until the end of the transaction."""
    if payment.user_id is not None:
        lock_user(work.connection, payment.user_id)
    held = payments.lock(work.connection, payment.id)
    assert held is not None
    return held


def _sent_at(receipt: Receipt | None) -> datetime | None:
    return None if receipt is None else receipt.sent_at or receipt.acknowledged_at


def _audit(
    work: UnitOfWork, event: str, subject: str, payment: Payment, action: str, note: str | None, **facts: str
) -> None:
    details: dict[str, Any] = {"payment": payment.reference, "action": action, "note": note, **facts}
    work.audit(event, subject, details=details)
