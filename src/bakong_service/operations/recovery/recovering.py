"""After a restore from a backup: begins a new epoch of the feed, and plans looks at payments that may have been paid.

The command `recover` also asks Bakong for payments that the backup doesn't have, and records here what Bakong says. It
makes no payment from that: an operator decides.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from attrs import evolve, frozen

from bakong_service.domain.errors import Invalid
from bakong_service.domain.feed import Restore, first_sequence
from bakong_service.domain.look import LookReason
from bakong_service.domain.lost_payment import Finding, Found, LostPayment
from bakong_service.domain.moment import moment
from bakong_service.domain.money import written
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import HINTABLE, Payment
from bakong_service.domain.watching import Priority
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage import audit
from bakong_service.storage.engine.signals import CHECKS, signal
from bakong_service.storage.payments import payments, receipts
from bakong_service.storage.webhooks import outbox, restores

FOUND_WITHOUT_PAYMENT = "money.found_without_payment"
_AT_ONCE = 200  # payments in one transaction
_WITHOUT_MONEY = {Answer.NOT_FOUND: Finding.NOT_FOUND, Answer.NO_ANSWER: Finding.UNANSWERED}


def begin_epoch(work: UnitOfWork, *, since: datetime) -> tuple[Restore, bool]:
    """Begin a new epoch of the feed, because the database was restored from a backup of the moment `since`.

    Return the restore, and whether it is new: the same `since` again begins no second epoch. Raises `Invalid` if
    `since` lies in the future.
    """
    if since > work.now:
        raise Invalid("invalid_request", f"since is {moment(since)}; it takes a moment in the past")
    restore = Restore(
        epoch=f"{work.business.identifiers.random_bits(64):016x}",
        since=since,
        begun_at=work.now,
        after_position=outbox.last_position_before(work.connection, since),
        first_sequence=first_sequence(work.now),
    )
    if not restores.add(work.connection, restore):
        known = restores.of_since(work.connection, since)
        assert known is not None
        return known, False
    work.audit(
        "database.recovered",
        restore.epoch,
        level=audit.SECURITY,
        details={"since": moment(since), "after_position": restore.after_position},
    )
    return restore, True


@frozen(kw_only=True)
class LookedAgain:
    """How many payments will be looked at soon, and the id after which to go on; None at the end."""

    count: int
    next_after: int | None


def look_again(work: UnitOfWork, *, since: datetime, after: int = 0) -> LookedAgain:
    """Have the watcher look soon at the payments without money that were still watched at `since` or later.

    One call takes 200 payments by id; go on with `next_after`.
    """
    ids = payments.unpaid_watched_since(work.connection, since, above=after, limit=_AT_ONCE)
    for payment in payments.lock_all(work.connection, ids):
        hasten(work, payment)
    signal(work.connection, CHECKS)
    return LookedAgain(count=len(ids), next_after=ids[-1] if len(ids) == _AT_ONCE else None)


def hasten(work: UnitOfWork, payment: Payment) -> bool:
    """Have the watcher look soon at a payment that the caller has locked. Return False if no look can change it.

    This isn't counted as a hint, and the look comes after those that somebody waits for.
    """
    if payment.status not in HINTABLE:
        return False
    due = work.now if payment.next_check_at is None else min(work.now, payment.next_check_at)
    priority = Priority.LOOK_BACK if payment.next_check_at is None else payment.priority
    again = evolve(payment, hint_at=work.now, next_check_at=due, next_check_reason=LookReason.HINT, priority=priority)
    payments.hasten(work.connection, again)
    return True


def known(work: UnitOfWork, lost: Iterable[LostPayment]) -> list[Found]:
    """Return the payments that the database does have, and have the watcher look soon at each that isn't paid."""
    found = []
    for each in lost:
        payment = payments.by_md5(work.connection, each.md5)
        if payment is not None:
            (held,) = payments.lock_all(work.connection, [payment.id])
            hasten(work, held)
            found.append(Found(lost=each, finding=Finding.IN_DATABASE, reason=f"{held.reference}: {held.status.value}"))
    signal(work.connection, CHECKS)
    return found


def without_money(lost: LostPayment, outcome: Outcome) -> Found:
    """Return what an answer without money says about a lost payment."""
    finding = _WITHOUT_MONEY.get(outcome.answer, Finding.UNCLEAR)
    reason = outcome.reason if finding is Finding.UNANSWERED else outcome.answer.value
    return Found(lost=lost, finding=finding, reason=reason, retry_at=outcome.retry_at)


def record_money(work: UnitOfWork, lost: LostPayment, sighting: Sighting) -> Found:
    """Record that Bakong shows money for a lost payment, and return what is known about that money.

    Money without a payment is written to the audit log, once. Nobody can change or delete it there, so everybody who
    reads the log later finds the money again.
    """
    receipts.lock_transaction(work.connection, sighting.tx_hash)  # two commands at the same time write it once
    receipt = receipts.by_hash(work.connection, sighting.tx_hash)
    if receipt is not None:
        payment = payments.by_id(work.connection, receipt.payment_id)
        assert payment is not None
        return Found(lost=lost, finding=Finding.MONEY_KNOWN, sighting=sighting, reason=payment.reference)
    if not _is_recorded(work, lost.md5, sighting.tx_hash):
        work.audit(FOUND_WITHOUT_PAYMENT, lost.md5, level=audit.SECURITY, details=money(lost, sighting))
    return Found(lost=lost, finding=Finding.MONEY, sighting=sighting)


def money(lost: LostPayment, sighting: Sighting) -> dict[str, Any]:
    """Return the facts about money without a payment; the payer's account isn't among them."""
    return {
        "reference": lost.reference,
        "md5": lost.md5,
        "amount": written(sighting.amount, sighting.currency),
        "currency": sighting.currency,
        "expected_amount": lost.amount,
        "expected_currency": lost.currency,
        "to_account": sighting.to_account,
        "sent_at": moment(sighting.happened_at),
        "transaction_hash": sighting.tx_hash,
        "external_ref": sighting.external_ref,
        "is_received": sighting.is_received,
        "user_id": lost.user_id,
        "plan": lost.plan,
        "event": lost.event,
    }


def _is_recorded(work: UnitOfWork, md5: str, tx_hash: str) -> bool:
    return any(
        entry.action == FOUND_WITHOUT_PAYMENT and (entry.details or {}).get("transaction_hash") == tx_hash
        for entry in audit.page(work.connection, limit=_AT_ONCE, subject=md5)
    )
