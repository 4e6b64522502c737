"""Records what a look found out: the outcome becomes facts, and the facts decide the payment's status.

A sighting of money is always stored, in the same transaction, whatever the payment's status.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from attrs import evolve, frozen

from bakong_service.domain.errors import NotFound
from bakong_service.domain.judgement import Judgement, judge
from bakong_service.domain.ledger import OUTSIDE
from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.domain.payment import MONEY, Guard, On, Payment, PaymentStatus, Transition, find
from bakong_service.domain.purchase import Incoming
from bakong_service.domain.review import Disposition, ReviewKind
from bakong_service.domain.watching import Mode, is_unverifiable, next_look
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments import effects, evidence
from bakong_service.operations.payments.transition import carry_out
from bakong_service.operations.unit_of_work import CLOCK, WATCHER, UnitOfWork
from bakong_service.storage.payments import payments, receipts, reviews
from bakong_service.storage.payments.receipts import Receipt
from bakong_service.storage.subscriptions.subscriptions import lock_user


@frozen(kw_only=True)
class Answered:
    """The outcome of a look at a payment that was claimed with `fence`."""

    payment_id: int
    fence: int
    outcome: Outcome


def settle(
    work: UnitOfWork, payment_id: int, outcome: Outcome, *, fence: int | None = None, mode: Mode = Mode.BULK
) -> Payment:
    """Record an outcome and change the payment as the table says. Only here does money alone make a payment `paid`.

    If `fence` isn't the payment's fence any more, the worker lost its lease, and only money in its outcome counts.
    """
    payment = payments.by_id(work.connection, payment_id)
    if payment is None:
        raise NotFound("payment_not_found", f"there is no payment with the id {payment_id}")
    if payment.user_id is not None and outcome.answer is Answer.FOUND:
        lock_user(work.connection, payment.user_id)  # every transaction locks the user before any payment
    held = payments.lock(work.connection, payment_id)
    assert held is not None
    settled = _settle(work, held, outcome, fence, mode)
    if fence in (None, held.fence):
        payments.note_all(work.connection, [settled])
    return settled


def settle_all(work: UnitOfWork, answers: Sequence[Answered], *, mode: Mode = Mode.BULK) -> list[Payment]:
    """Record many outcomes without money in one transaction. One statement writes those that change no status."""
    by_id = {answered.payment_id: answered for answered in answers}
    held = payments.lock_all(work.connection, by_id)
    settled = [_settle(work, payment, by_id[payment.id].outcome, by_id[payment.id].fence, mode) for payment in held]
    payments.note_all(work.connection, [payment for payment in settled if by_id[payment.id].fence == payment.fence])
    return settled


def pass_deadline(work: UnitOfWork, payment: Payment, *, mode: Mode = Mode.BULK) -> Payment:
    """Move an open payment to `timeout` if its deadline has passed (M9). The watcher goes on looking.

    The caller has locked `payment`.
    """
    if payment.status is not PaymentStatus.PENDING or work.now < payment.deadline_at:
        return payment
    asked_at = payment.last_conclusive_at
    confirmed = asked_at is not None and asked_at >= payment.qr_expires_at
    return carry_out(
        evolve(work, actor=CLOCK),
        payment,
        find(payment, On.DEADLINE),
        reason="deadline" if confirmed else "unconfirmed",
        mode=mode,
    )


def _settle(work: UnitOfWork, payment: Payment, outcome: Outcome, fence: int | None, mode: Mode) -> Payment:
    """Change the payment as its table says, and return it with the facts of this look, which the caller stores."""
    work = evolve(work, actor=WATCHER)
    if outcome.answer is not Answer.FOUND:
        if fence is not None and fence != payment.fence:
            return payment
        payment = pass_deadline(work, payment, mode=mode)
    judgement, row = _verdict(work, payment, outcome)
    noted = _noted(payment, outcome, judgement)
    if judgement.on is On.FOUND_AGAIN:
        tx_hash = outcome.sighting and outcome.sighting.tx_hash
        work.audit("payment.duplicate_confirmation", payment.reference, details={"tx_hash": tx_hash})
    if row.to is None and row.review is None:
        if is_unverifiable(noted, outcome, work.now):
            return _give_up(work, noted, outcome, mode)
        return _look_on(work, noted, outcome, mode)
    receipt = evidence.keep(work, payment, row, outcome, kind=judgement.review, details=judgement.details)
    if row.receipt is not None or row.to is PaymentStatus.EXPIRED:
        reviews.answer_doubts(work.connection, payment.id, operator=work.actor, now=work.now)
    paid_at = outcome.sighting.happened_at if outcome.sighting and row.to is PaymentStatus.PAID else None
    return carry_out(
        work,
        noted,
        row,
        reason=judgement.review or judgement.on.value,
        mode=mode,
        outcome=outcome,
        metadata=judgement.details,
        paid_at=paid_at,
        effect=None if paid_at is None else _effect(work, receipt, paid_at),
    )


def _effect(work: UnitOfWork, receipt: Receipt | None, paid_at: datetime) -> Callable[[Payment], Payment]:
    assert receipt is not None  # only new money makes a payment paid, so it has a receipt
    assert receipt.money is not None  # in the payment's currency
    incoming = Incoming(receipt_id=receipt.id, money=receipt.money, account=OUTSIDE)
    return lambda payment: effects.apply(work, payment, incoming, paid_at=paid_at)


def _verdict(work: UnitOfWork, payment: Payment, outcome: Outcome) -> tuple[Judgement, Transition]:
    """Return the judgement and its row of the table.

    Only the database knows which payment the money belongs to, and whether the effect is still possible.
    """
    known = None
    if outcome.sighting is not None:
        receipts.lock_transaction(work.connection, outcome.sighting.tx_hash)
        known = receipts.by_hash(work.connection, outcome.sighting.tx_hash)
    disposition = None if known is None else known.disposition
    elsewhere = known is not None and known.payment_id != payment.id and payment.status not in MONEY
    if known and elsewhere and reviews.was_disowned(work.connection, payment.id, known.tx_hash):
        disposition, elsewhere = Disposition.REJECTED, False
    judgement = judge(payment, outcome, work.business.payments, disposition=disposition, now=work.now)
    if known and elsewhere:
        details = {"difference": ReviewKind.USED_ELSEWHERE.value, "tx_hash": known.tx_hash}
        judgement = Judgement(on=On.FOUND_MISMATCH, review=ReviewKind.USED_ELSEWHERE, details=details)
    row = find(payment, judgement.on, judgement.guard)
    if row.to is PaymentStatus.PAID and not effects.possible(work, payment):
        judgement = evolve(judgement, guard=Guard.TOO_LATE, review=ReviewKind.NO_LONGER_VALID)
        row = find(payment, judgement.on, judgement.guard)
    return judgement, row


def _noted(payment: Payment, outcome: Outcome, judgement: Judgement) -> Payment:
    """Return the payment with the facts of this look."""
    asked = outcome.asked_at is not None
    no_answer = judgement.on is On.NO_ANSWER
    failed = judgement.on is On.FAILED_TX
    return evolve(
        payment,
        checks=payment.checks + asked,
        last_check_at=outcome.asked_at or payment.last_check_at,
        last_outcome=_last_outcome(payment, outcome, judgement),
        last_conclusive_at=outcome.asked_at if judgement.on is On.NOT_FOUND else payment.last_conclusive_at,
        no_answers=payment.no_answers + asked if no_answer else 0,
        unreadable=payment.unreadable + (judgement.on is On.FOUND_UNREADABLE),
        failed_at=payment.failed_at or (outcome.asked_at if failed else None),
    )


def _last_outcome(payment: Payment, outcome: Outcome, judgement: Judgement) -> str | None:
    if outcome.asked_at is None:
        return payment.last_outcome
    return outcome.reason if judgement.on is On.NO_ANSWER else judgement.on.value


def _look_on(work: UnitOfWork, payment: Payment, outcome: Outcome, mode: Mode) -> Payment:
    """Plan the next look. If there is none, return the credit that was set aside for the payment."""
    planned = payments.looking(payment, next_look(payment, mode, now=work.now, outcome=outcome))
    if planned.next_check_at is None and payment.status is PaymentStatus.FAILED:
        credit.give_back(work, payment)
    return planned


def _give_up(work: UnitOfWork, payment: Payment, outcome: Outcome, mode: Mode) -> Payment:
    """Open a review item, because the watch is over and Bakong hasn't answered (M11). The payment isn't "unpaid"."""
    row = find(payment, On.WATCH_ENDED)
    evidence.keep(work, payment, row, outcome, details={"last_outcome": payment.last_outcome})
    return carry_out(work, payment, row, reason="unverifiable", mode=mode, outcome=outcome)
