"""What operators decide about money, and what becomes of payment, receipt, credit and subscription."""

from decimal import Decimal
from typing import Any

import pytest

from bakong_service.domain.errors import Conflict, Invalid, NotFound
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer
from bakong_service.domain.payment import Flag, Payment, PaymentStatus
from bakong_service.operations import reviews
from bakong_service.storage import audit, credit_entries, subscriptions
from bakong_service.storage import reviews as queue

pytestmark = pytest.mark.anyio
S = PaymentStatus


async def underpaid(till: Any, **asked: Any) -> tuple[Payment, Any]:
    payment = await till.see(await till.create(**asked), amount=Decimal("0.20"))
    [item] = await till.reviews(payment)
    return payment, item


@pytest.mark.parametrize(
    ("action", "status", "flags", "disposition", "event"),
    [
        ("accept", S.PAID, set(), "applied", "payment.paid"),
        ("credit", S.PAID, {Flag.CREDITED}, "credited", "payment.credited"),
        ("refunded", S.REFUNDED, set(), "refunded", "payment.refunded"),
        ("not_ours", S.TIMEOUT, set(), "rejected", "payment.timeout"),
    ],
)
async def test_each_resolution(
    till: Any, action: str, status: S, flags: set[str], disposition: str, event: str
) -> None:
    payment, item = await underpaid(till, user_id="u1", plan="PREMIUM")
    assert item.kind == "amount"
    assert item.details == {"difference": "amount", "expected": "0.50", "seen": "0.20"}
    till.later(minutes=1)
    after = await till.resolve(item, action)
    assert (after.status, after.flags) == (status, flags)
    assert [receipt.disposition for receipt in await till.receipts(payment)] == [disposition]
    assert (await till.told(payment))[-1] == event
    [closed] = await till.reviews(payment, only_open=False)
    assert (closed.action, closed.operator, closed.note, closed.resolved_at) == (
        action, "operator:dara", "why", till.now,
    )  # fmt: skip
    newest = (await till.history(payment))[0]
    assert (newest.reason, newest.actor) == (f"review_{action}", "operator:dara")
    [entry] = [e for e in await till.run(lambda c: audit.page(c, limit=9)) if e.action == "review.resolved"]
    assert (entry.actor, entry.subject) == ("operator:dara", item.reference)
    assert await till.violations() == []
    live = await till.run(lambda c: subscriptions.live_of(c, "u1"))
    balance = await till.run(lambda c: credit_entries.balance(c, "u1", "USD"))
    assert (live is not None, balance) == {"accept": (True, 0), "credit": (False, 20)}.get(action, (False, 0))
    with pytest.raises(Conflict, match="was resolved by operator:dara"):
        await till.resolve(item, action)


async def test_money_that_was_rejected_is_not_brought_back_by_the_next_look(till: Any, usd: Payment) -> None:
    wrong = till.found(usd, amount=Decimal("9.99"))
    await till.settle(usd, wrong)
    [item] = await till.reviews(usd)
    after = await till.resolve(item, "not_ours")
    assert after.next_check_at is not None
    again = await till.settle(usd, wrong)
    assert (again.status, await till.reviews(usd)) == (S.TIMEOUT, [])
    till.now = usd.watch_until
    assert (await till.settle(usd, till.found(usd, tx_hash=wrong.sighting.tx_hash))).status is S.EXPIRED
    assert await till.violations() == []


async def test_a_payment_stays_in_review_until_all_its_money_is_decided_about(till: Any, usd: Payment) -> None:
    await till.see(usd, amount=Decimal("1.00"))
    till.later(seconds=1)
    await till.see(usd, amount=Decimal("1.50"))
    first, second = await till.reviews(usd)
    assert second.kind == "duplicate_receipt"
    assert (await till.resolve(first, "not_ours")).status is S.REVIEW
    assert (await till.resolve(second, "not_ours")).status is S.TIMEOUT
    assert await till.violations() == []


@pytest.mark.parametrize(
    ("action", "disposition"), [("credit", "credited"), ("refunded", "refunded"), ("not_ours", "rejected")]
)
async def test_a_second_payment_of_one_code_is_decided_about_while_the_first_stands(
    till: Any, action: str, disposition: str
) -> None:
    payment = await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    till.later(seconds=1)
    payment = await till.see(payment)
    assert (payment.status, payment.flags) == (S.PAID, {Flag.DUPLICATE})
    [item] = await till.reviews(payment)
    with pytest.raises(Conflict, match="is paid: accept isn't possible"):
        await till.resolve(item, "accept")
    assert (await till.resolve(item, action)).status is S.PAID
    assert [receipt.disposition for receipt in await till.receipts(payment)] == ["applied", disposition]
    assert await till.violations() == []


async def test_what_can_not_be_had_any_more_can_not_be_accepted(till: Any) -> None:
    first = await till.create(user_id="u1", plan="PREMIUM")
    second = await till.create(user_id="u1", plan="PREMIUM")
    await till.see(second)
    await till.see(first)
    [item] = await till.reviews(first)
    with pytest.raises(Conflict) as refused:
        await till.resolve(item, "accept")
    assert refused.value.code == "effect_no_longer_valid"
    assert (await till.resolve(item, "credit")).status is S.PAID
    assert await till.run(lambda c: credit_entries.balance(c, "u1", "USD")) == 50


async def test_credit_needs_an_amount_and_a_user(till: Any, usd: Payment) -> None:
    await till.see(usd, amount=Decimal("1.00"))
    [item] = await till.reviews(usd)
    with pytest.raises(Conflict) as refused:
        await till.resolve(item, "credit")
    assert refused.value.code == "no_money_to_credit"
    riel = await till.create(user_id="u1", amount=Money(4000, "KHR"))
    await till.see(riel, amount=Decimal("4000.50"))
    [item] = await till.reviews(riel)
    with pytest.raises(Conflict, match="has no amount"):
        await till.resolve(item, "credit")
    assert (await till.receipts(riel))[0].money is None


async def test_an_operator_may_accept_what_bakong_never_answered(till: Any, usd: Payment) -> None:
    till.now = usd.watch_until
    after = await till.answer(usd, Answer.NO_ANSWER, reason="server_unavailable")
    assert after.flags == {Flag.UNVERIFIABLE}
    [item] = await till.reviews(usd)
    assert item.kind == "unverifiable"
    paid = await till.resolve(item, "accept")
    assert (paid.status, paid.paid_at) == (S.PAID, till.now)
    assert await till.violations() == []


async def test_an_unverifiable_payment_that_is_not_ours_keeps_its_status(till: Any, usd: Payment) -> None:
    till.now = usd.watch_until
    await till.answer(usd, Answer.NO_ANSWER, reason="server_unavailable")
    [item] = await till.reviews(usd)
    assert (await till.resolve(item, "not_ours")).status is S.TIMEOUT


async def test_bad_decisions_are_refused_by_name(till: Any, usd: Payment) -> None:
    await till.see(usd, amount=Decimal("1.00"))
    [item] = await till.reviews(usd)
    with pytest.raises(Invalid, match="'pay' isn't one of accept, credit, refunded, not_ours"):
        await till.resolve(item, "pay")
    for action in ("refunded", "not_ours"):
        with pytest.raises(Invalid, match="needs a note") as refused:
            await till.resolve(item, action, note="  ")
        assert [fault.pointer for fault in refused.value.faults] == ["/note"]
    with pytest.raises(NotFound, match="no review item 'rev_0'"):
        await till.run(
            lambda c: reviews.resolve(c, till.business, "rev_0", action="accept", operator="operator:x", now=till.now)
        )


async def test_a_refund_is_recorded_and_takes_back_only_what_it_is_told_to(till: Any) -> None:
    kept = await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    taken = await till.see(await till.create(user_id="u2", plan="PREMIUM"))
    assert (await till.refund(kept)).status is S.REFUNDED
    assert (await till.refund(taken, reverse=True)).status is S.REFUNDED
    assert (await till.told(taken))[-1] == "payment.refunded"
    assert [receipt.disposition for receipt in await till.receipts(taken)] == ["refunded"]
    assert (await till.run(lambda c: subscriptions.live_of(c, "u1"))) is not None
    assert (await till.run(lambda c: subscriptions.live_of(c, "u2"))) is None
    assert await till.violations() == []
    with pytest.raises(Conflict, match="is refunded: refund isn't possible"):
        await till.refund(kept)


async def test_what_is_not_to_be_refunded_is_refused(till: Any, usd: Payment) -> None:
    with pytest.raises(Conflict, match="is pending"):
        await till.refund(usd)
    credited, item = await underpaid(till, user_id="u1", plan="PREMIUM")
    await till.resolve(item, "credit")
    with pytest.raises(Conflict) as refused:
        await till.refund(credited)
    assert refused.value.code == "payment_is_credit"

    async def record(reference: str, transfer: str) -> None:
        await till.run(
            lambda c: reviews.record_refund(
                c, till.business, reference, refund_reference=transfer, reverse=False, operator="o", now=till.now
            )
        )

    with pytest.raises(Invalid, match="name the transfer"):
        await record(usd.reference, " ")
    with pytest.raises(NotFound, match="no payment 'pay_0'"):
        await record("pay_0", "FT1")


async def test_the_queue_is_read_in_pages(till: Any) -> None:
    for _ in range(3):
        await underpaid(till)
        till.later(seconds=1)
    newest_first = await till.run(lambda c: queue.page(c, limit=2))
    assert len(newest_first) == 2
    assert newest_first[0].opened_at > newest_first[1].opened_at
    [oldest] = await till.run(lambda c: queue.page(c, limit=2, before=newest_first[1].id))
    assert await till.run(lambda c: queue.page(c, limit=2, after=oldest.id)) == newest_first[::-1]
    await till.resolve(oldest, "not_ours")
    assert len(await till.run(lambda c: queue.page(c, limit=9))) == 2
    assert len(await till.run(lambda c: queue.page(c, limit=9, only_open=False))) == 3
