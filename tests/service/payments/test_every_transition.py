"""Every (status, what happens) pair of the table, on both databases: what it leads to, or that it is forbidden."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from bakong_service.domain.errors import Conflict
from bakong_service.domain.outcome import Answer
from bakong_service.domain.payment import TRANSITIONS, Flag, Guard, On, Payment, PaymentStatus, guards
from bakong_service.operations.payments import settling
from bakong_service.storage.payments import payments as rows
from kit.till import Till

pytestmark = pytest.mark.anyio
S = PaymentStatus
BEGIN = datetime(2026, 11, 1, 12, tzinfo=UTC)


async def _pending(till: Till) -> Payment:
    return await till.create()


async def _timeout(till: Till) -> Payment:
    payment = await till.create()
    till.later(minutes=15)
    return await till.answer(payment, Answer.NOT_FOUND)


async def _failed(till: Till) -> Payment:
    payment = await till.create()
    await till.answer(payment, Answer.FAILED_TX)
    till.later(seconds=30)
    return await till.answer(payment, Answer.FAILED_TX)


async def _cancelled(till: Till) -> Payment:
    return await till.cancel(await till.create())


async def _expired(till: Till) -> Payment:
    payment = await _timeout(till)
    till.later(hours=24)
    return await till.answer(payment, Answer.NOT_FOUND)


async def _paid(till: Till) -> Payment:
    return await till.see(await till.create())


async def _review(till: Till) -> Payment:
    return await till.see(await till.create(), amount=Decimal("0.01"))


async def _refunded(till: Till) -> Payment:
    return await till.refund(await _paid(till))


REACH = {
    S.PENDING: _pending, S.TIMEOUT: _timeout, S.FAILED: _failed, S.CANCELLED: _cancelled, S.EXPIRED: _expired,
    S.PAID: _paid, S.REVIEW: _review, S.REFUNDED: _refunded,
}  # fmt: skip

# Each row: what happens, then the status that follows from each of the eight, "!" where it is refused.
COLUMNS = (S.PENDING, S.TIMEOUT, S.FAILED, S.CANCELLED, S.EXPIRED, S.PAID, S.REVIEW, S.REFUNDED)
TABLE = """
found_in_time      paid      paid      paid    review    paid     paid      review   refunded
found_late         paid      paid      paid    review    review   paid      review   refunded
found_too_late     review    review    review  review    review   paid      review   refunded
found_mismatch     review    review    review  review    review   paid      review   refunded
found_unreadable   pending   timeout   failed  cancelled expired  paid      review   refunded
thrice_unreadable  review    review    review  review    review   paid      review   refunded
not_found          pending   timeout   failed  cancelled expired  paid      review   refunded
not_found_at_end   expired   expired   failed  cancelled expired  paid      review   refunded
failed_tx          pending   timeout   failed  cancelled expired  paid      review   refunded
failed_tx_again    failed    timeout   failed  cancelled expired  paid      review   refunded
static_qr          pending   timeout   failed  cancelled expired  paid      review   refunded
no_answer          pending   timeout   failed  cancelled expired  paid      review   refunded
deadline           timeout   timeout   failed  cancelled expired  paid      review   refunded
cancel             cancelled !         !       !         !        !         !        !
refund             !         !         !       !         !        refunded  !        !
refund_part        !         !         !       !         !        paid      !        !
"""
ROWS = [(name, dict(zip(COLUMNS, after, strict=True))) for name, *after in map(str.split, TABLE.strip().splitlines())]


async def happen(till: Till, payment: Payment, what: str) -> Payment:
    deadline = payment.deadline_at
    match what:
        case "found_in_time":
            return await till.see(payment, sent_at=payment.created_at + timedelta(seconds=5))
        case "found_late":
            till.at(max(till.now, deadline + timedelta(minutes=3)))
            return await till.see(payment, sent_at=deadline + timedelta(minutes=3))
        case "found_too_late":
            till.at(max(till.now, deadline + timedelta(minutes=16)))
            return await till.see(payment, sent_at=deadline + timedelta(minutes=16))
        case "found_mismatch":
            return await till.see(payment, amount=Decimal("0.01"))
        case "found_unreadable":
            return await till.answer(payment, Answer.UNREADABLE, raw="?")
        case "thrice_unreadable":
            for _ in range(3):
                after = await till.answer(payment, Answer.UNREADABLE, raw="?")
            return after
        case "not_found":
            return await till.answer(payment, Answer.NOT_FOUND)
        case "not_found_at_end":
            till.at(max(till.now, payment.watch_until))
            return await till.answer(payment, Answer.NOT_FOUND)
        case "failed_tx":
            return await till.answer(payment, Answer.FAILED_TX)
        case "failed_tx_again":
            await till.answer(payment, Answer.FAILED_TX)
            till.later(seconds=30)
            return await till.answer(payment, Answer.FAILED_TX)
        case "static_qr":
            return await till.answer(payment, Answer.STATIC_QR)
        case "no_answer":
            return await till.answer(payment, Answer.NO_ANSWER, reason="server_unavailable")
        case "deadline":
            till.at(max(till.now, deadline))
            return await till.answer(payment, Answer.NO_ANSWER, asked_at=None, reason="deadline", retry_at=till.now)
        case "cancel":
            return await till.cancel(payment)
        case "refund":
            return await till.refund(payment)
        case "refund_part":
            return await till.refund(payment, amount=Decimal("0.01"))
        case _:
            raise AssertionError(what)


@pytest.mark.parametrize(("what", "expected"), ROWS, ids=[name for name, _ in ROWS])
async def test_what_follows_in_each_status(till: Till, what: str, expected: dict[S, str]) -> None:
    for status in COLUMNS:
        till.at(BEGIN)
        payment = await REACH[status](till)
        assert payment.status is status
        if expected[status] == "!":
            with pytest.raises(Conflict) as refused:
                await happen(till, payment, what)
            assert refused.value.code == f"payment_{status.value}", status
            assert await till.payment(payment) == payment
        else:
            after = await happen(till, payment, what)
            assert after.status.value == expected[status], status
            assert (await till.payment(payment)).status.value == expected[status]
    broken = [each for each in await till.violations() if "overdue" not in each.promise]
    assert broken == []


def test_paid_is_left_by_a_refund_alone_and_nothing_becomes_pending() -> None:
    for row in TRANSITIONS:
        assert row.to is not S.PENDING or row.on is On.CREATE
        if S.PAID in row.sources:
            assert row.to in (None, S.REFUNDED)
            assert row.to is None or row.on is On.REFUND


def test_money_is_in_every_change_that_it_makes() -> None:
    for row in TRANSITIONS:
        if row.on in (On.FOUND_OK, On.FOUND_MISMATCH):
            assert row.receipt in ("applied", "open")
            assert (row.receipt == "open") == (row.review is not None)
        if row.on in (On.NOT_FOUND, On.NO_ANSWER, On.STATIC_QR):
            assert row.to in (None, S.EXPIRED)


@pytest.mark.parametrize("status", COLUMNS)
def test_every_answer_of_bakong_has_its_row_in_every_status(status: S) -> None:
    answers = (On.FOUND_OK, On.FOUND_MISMATCH, On.FOUND_AGAIN, On.FOUND_UNREADABLE, On.NOT_FOUND, On.FAILED_TX)
    for on in (*answers, On.STATIC_QR, On.NO_ANSWER):
        assert guards(status, on), (status, on)


def test_the_rows_of_a_pair_tell_different_conditions_apart() -> None:
    for status in S:
        for on in On:
            told = guards(status, on)
            assert len(told) == len(set(told))
            assert Guard.ALWAYS not in told or len(told) == 1


async def test_a_superseded_payment_is_cancelled_and_says_so(till: Till) -> None:
    first = await till.create(user_id="u1", plan="PREMIUM")
    second = await till.create(user_id="u1", plan="PREMIUM")
    first = await till.payment(first)
    assert (first.status, first.flags) == (S.CANCELLED, frozenset({Flag.SUPERSEDED}))
    assert second.status is S.PENDING
    after = await till.see(first)
    assert after.status is S.REVIEW
    assert [item.kind for item in await till.reviews(first)] == ["superseded"]


async def test_a_state_that_moved_on_is_never_overwritten(till: Till, usd: Payment) -> None:
    await till.cancel(usd)

    def with_an_old_copy(connection: Connection) -> None:
        rows.save(connection, usd, usd)

    with pytest.raises(rows.StateMoved, match=f"{usd.reference} isn't pending at version 1"):
        await till.run(with_an_old_copy)


async def test_an_outcome_for_no_payment_is_an_error(till: Till, usd: Payment) -> None:
    from bakong_service.domain.errors import NotFound

    with pytest.raises(NotFound, match="no payment with the id 7"):
        await till.do(settling.settle, 7, till.found(usd))
