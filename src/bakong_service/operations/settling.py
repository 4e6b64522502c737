"""Where an outcome meets a payment: what the watcher learnt becomes facts, and the facts become a status.

A sighting of money is kept whatever happens to the payment, in the same transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from attrs import evolve, frozen
from sqlalchemy import Connection

from bakong_service.domain.errors import NotFound
from bakong_service.domain.judgement import Judgement, judge
from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.domain.payment import MONEY, Guard, On, Payment, PaymentStatus, Transition, find
from bakong_service.domain.watching import Mode, is_unverifiable, next_look
from bakong_service.operations import credit, effects, evidence
from bakong_service.operations.business import Business
from bakong_service.operations.transition import carry_out
from bakong_service.storage import audit, payments, receipts, reviews
from bakong_service.storage.subscriptions import lock_user

WATCHER = "system:watcher"


@frozen(kw_only=True)
class Answered:
    """An outcome for a payment that was claimed with `fence`."""

    payment_id: int
    fence: int
    outcome: Outcome


def settle(
    connection: Connection,
    business: Business,
    payment_id: int,
    outcome: Outcome,
    *,
    fence: int | None = None,
    mode: Mode = Mode.BULK,
    now: datetime,
) -> Payment:
    """Record an outcome and do what follows from it. The only place where money makes a payment `paid` by itself.

    With a `fence` that the payment has moved on from, the answer is a stale worker's: only money counts then.
    """
    payment = payments.by_id(connection, payment_id)
    if payment is None:
        raise NotFound("payment_not_found", f"there is no payment with the id {payment_id}")
    if payment.user_id is not None and outcome.answer is Answer.FOUND:
        lock_user(connection, payment.user_id)  # before any payment's row, as everybody does
    held = payments.lock(connection, payment_id)
    assert held is not None
    settled = _settle(connection, business, held, outcome, fence, mode, now)
    if fence in (None, held.fence):
        payments.note_all(connection, [settled])
    return settled


def settle_all(
    connection: Connection, business: Business, answers: Sequence[Answered], *, mode: Mode = Mode.BULK, now: datetime
) -> list[Payment]:
    """Record many outcomes without money in one transaction. Most leave all as it is: one statement writes those."""
    by_id = {answered.payment_id: answered for answered in answers}
    held = payments.lock_all(connection, by_id)
    settled = [
        _settle(connection, business, payment, by_id[payment.id].outcome, by_id[payment.id].fence, mode, now)
        for payment in held
    ]
    payments.note_all(connection, [payment for payment in settled if by_id[payment.id].fence == payment.fence])
    return settled


def pass_deadline(
    connection: Connection, business: Business, payment: Payment, *, mode: Mode = Mode.BULK, now: datetime
) -> Payment:
    """M9, where it is due: `timeout` is soft, the watching goes on. `payment` is held by the caller."""
    if payment.status is not PaymentStatus.PENDING or now < payment.deadline_at:
        return payment
    asked_at = payment.last_conclusive_at
    confirmed = asked_at is not None and asked_at >= payment.qr_expires_at
    return carry_out(
        connection,
        business,
        payment,
        find(payment, On.DEADLINE),
        reason="deadline" if confirmed else "unconfirmed",
        actor="system:clock",
        mode=mode,
        now=now,
    )


def _settle(
    connection: Connection,
    business: Business,
    payment: Payment,
    outcome: Outcome,
    fence: int | None,
    mode: Mode,
    now: datetime,
) -> Payment:
    """Do what follows from an outcome; the payment as it stands, with what is still to be noted."""
    if outcome.answer is not Answer.FOUND:
        if fence is not None and fence != payment.fence:
            return payment
        payment = pass_deadline(connection, business, payment, mode=mode, now=now)
    judgement, row = _verdict(connection, business, payment, outcome, now)
    noted = _noted(payment, outcome, judgement)
    if judgement.on is On.FOUND_AGAIN:
        _audit_again(connection, business, payment, outcome, now)
    if row.to is None and row.review is None:
        if is_unverifiable(noted, outcome, now):
            return _give_up(connection, business, noted, outcome, mode, now)
        return _look_on(connection, business, noted, outcome, mode, now)
    evidence.keep(
        connection, business, payment, row, outcome, kind=judgement.review, details=judgement.details, now=now
    )
    if row.receipt is not None or row.to is PaymentStatus.EXPIRED:
        reviews.answer_doubts(connection, payment.id, operator=WATCHER, now=now)
    paid_at = outcome.sighting.happened_at if outcome.sighting and row.to is PaymentStatus.PAID else None
    return carry_out(
        connection,
        business,
        noted,
        row,
        reason=judgement.review or judgement.on.value,
        actor=WATCHER,
        mode=mode,
        outcome=outcome,
        metadata=judgement.details,
        paid_at=paid_at,
        effect=None if paid_at is None else partial(effects.apply, connection, business, paid_at=paid_at, now=now),
        now=now,
    )


def _verdict(
    connection: Connection, business: Business, payment: Payment, outcome: Outcome, now: datetime
) -> tuple[Judgement, Transition]:
    """The judgement, with what only the database knows: whose the money is, and whether it still buys anything."""
    known = None
    if outcome.sighting is not None:
        receipts.lock_transaction(connection, outcome.sighting.tx_hash)
        known = receipts.by_hash(connection, outcome.sighting.tx_hash)
    disposition = None if known is None else known.disposition
    elsewhere = known is not None and known.payment_id != payment.id and payment.status not in MONEY
    if known and elsewhere and reviews.was_disowned(connection, payment.id, known.tx_hash):
        disposition, elsewhere = "rejected", False
    judgement = judge(payment, outcome, business.payments, disposition=disposition, now=now)
    if known and elsewhere:
        details = {"difference": "used_elsewhere", "tx_hash": known.tx_hash}
        judgement = Judgement(on=On.FOUND_MISMATCH, review="used_elsewhere", details=details)
    row = find(payment, judgement.on, judgement.guard)
    if row.to is PaymentStatus.PAID and not effects.possible(connection, payment, now=now):
        judgement = evolve(judgement, guard=Guard.TOO_LATE, review="no_longer_valid")
        row = find(payment, judgement.on, judgement.guard)
    return judgement, row


def _noted(payment: Payment, outcome: Outcome, judgement: Judgement) -> Payment:
    """The payment with what this look taught."""
    asked = outcome.asked_at is not None
    no_answer = judgement.on is On.NO_ANSWER
    failed = judgement.on is On.FAILED_TX
    return evolve(
        payment,
        checks=payment.checks + asked,
        last_check_at=outcome.asked_at or payment.last_check_at,
        last_outcome=_told(payment, outcome, judgement),
        last_conclusive_at=outcome.asked_at if judgement.on is On.NOT_FOUND else payment.last_conclusive_at,
        no_answers=payment.no_answers + asked if no_answer else 0,
        unreadable=payment.unreadable + (judgement.on is On.FOUND_UNREADABLE),
        failed_at=payment.failed_at or (outcome.asked_at if failed else None),
    )


def _told(payment: Payment, outcome: Outcome, judgement: Judgement) -> str | None:
    if outcome.asked_at is None:
        return payment.last_outcome
    return outcome.reason if judgement.on is On.NO_ANSWER else judgement.on.value


def _look_on(
    connection: Connection, business: Business, payment: Payment, outcome: Outcome, mode: Mode, now: datetime
) -> Payment:
    """Plan the next look. Where there is none, what was set aside for the payment is free again."""
    planned = payments.looking(payment, next_look(payment, mode, now=now, outcome=outcome))
    if planned.next_check_at is None and payment.status is PaymentStatus.FAILED:
        credit.give_back(connection, business, payment, now=now)
    return planned


def _give_up(
    connection: Connection, business: Business, payment: Payment, outcome: Outcome, mode: Mode, now: datetime
) -> Payment:
    """M11: the watch is over and Bakong never said. It isn't "unpaid": a person has to look."""
    row = find(payment, On.WATCH_ENDED)
    evidence.keep(connection, business, payment, row, outcome, details={"last_outcome": payment.last_outcome}, now=now)
    return carry_out(
        connection,
        business,
        payment,
        row,
        reason="unverifiable",
        actor=WATCHER,
        mode=mode,
        outcome=outcome,
        now=now,
    )


def _audit_again(connection: Connection, business: Business, payment: Payment, outcome: Outcome, now: datetime) -> None:
    audit.write(
        connection,
        business.identifiers,
        action="payment.duplicate_confirmation",
        actor=WATCHER,
        subject=payment.reference,
        details={"tx_hash": outcome.sighting and outcome.sighting.tx_hash},
        now=now,
    )
