"""What operators decide about money, and what becomes of payment, receipt, credit and subscription."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from bakong_service.domain.errors import Conflict, Invalid, NotFound
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer
from bakong_service.domain.payment import Flag, Payment, PaymentStatus
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments import refunds, reviews, whereabouts
from bakong_service.operations.subscriptions import cancelling
from bakong_service.resources import plain
from bakong_service.storage import audit, schema
from bakong_service.storage.payments import reviews as queue
from bakong_service.storage.subscriptions import subscriptions
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio
S = PaymentStatus


async def underpaid(till: Till, **asked: Any) -> tuple[Payment, Any]:
    payment = await till.see(await till.create(**asked), amount=Decimal("0.20"))
    [item] = await till.reviews(payment)
    return payment, item


async def may_spend(till: Till, user_id: str) -> int:
    """What a user may spend, in cents."""
    balance: Money = await till.run(lambda c: credit.balance(c, user_id, "USD"))
    return balance.minor


async def where(till: Till, payment: Payment) -> dict[str, str]:
    """The places where a payment's money is."""
    value = await till.run(lambda c: whereabouts.of_payment(c, payment, now=till.now))
    return {
        name: text
        for name, text in plain(value).items()
        if name not in ("currency", "received", "refundable", "others") and float(text)
    }


async def test_what_an_accepted_payment_begins_names_the_operator_who_accepted_it(till: Till) -> None:
    payment = await till.buy()
    await till.cancel(payment)
    await till.see(payment)
    [item] = await till.reviews(payment)
    paid = await till.resolve(item, "accept")
    begun = there(await till.read(subscriptions.by_id, there(paid.subscription_id)))
    for changed in (paid, begun):
        newest, *_ = await till.history(changed)
        assert newest.actor == "operator:dara"


@pytest.mark.parametrize(
    ("action", "status", "flags", "disposition", "event"),
    [
        ("accept", S.PAID, set(), "applied", "paid"),
        ("credit", S.PAID, {Flag.CREDITED}, "credited", "credited"),
        ("refunded", S.REFUNDED, set(), "refunded", "refunded"),
        ("not_ours", S.TIMEOUT, set(), "rejected", "timeout"),
    ],
)
async def test_each_resolution(
    till: Till, action: str, status: S, flags: set[str], disposition: str, event: str
) -> None:
    payment, item = await underpaid(till, user_id="u1", plan="PREMIUM")
    assert item.kind == "amount"
    assert item.details == {"difference": "amount", "expected": "0.50", "seen": "0.20"}
    till.later(minutes=1)
    after = await till.resolve(item, action)
    assert (after.status, set(after.flags)) == (status, flags)
    assert [receipt.disposition for receipt in await till.receipts(payment)] == [disposition]
    assert (await till.told(payment.reference))[-1] == event
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
    assert (live is not None, await may_spend(till, "u1")) == {"accept": (True, 0), "credit": (False, 20)}.get(
        action, (False, 0)
    )
    with pytest.raises(Conflict, match="operator:dara has resolved"):
        await till.resolve(item, action)


async def test_money_that_was_rejected_is_not_brought_back_by_the_next_look(till: Till, usd: Payment) -> None:
    wrong = till.found(usd, amount=Decimal("9.99"))
    await till.settle(usd, wrong)
    [item] = await till.reviews(usd)
    after = await till.resolve(item, "not_ours")
    assert after.next_check_at is not None
    again = await till.settle(usd, wrong)
    assert (again.status, await till.reviews(usd)) == (S.TIMEOUT, [])
    till.at(usd.watch_until)
    assert (await till.settle(usd, till.found(usd, tx_hash=there(wrong.sighting).tx_hash))).status is S.EXPIRED
    assert await till.violations() == []


async def test_a_payment_stays_in_review_until_all_its_money_is_decided_about(till: Till, usd: Payment) -> None:
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
    till: Till, action: str, disposition: str
) -> None:
    payment = await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    till.later(seconds=1)
    payment = await till.see(payment)
    assert (payment.status, payment.flags) == (S.PAID, frozenset({Flag.DUPLICATE}))
    [item] = await till.reviews(payment)
    with pytest.raises(Conflict, match="is paid: accept isn't possible"):
        await till.resolve(item, "accept")
    assert (await till.resolve(item, action)).status is S.PAID
    assert [receipt.disposition for receipt in await till.receipts(payment)] == ["applied", disposition]
    assert await till.violations() == []


async def test_what_can_not_be_had_any_more_can_not_be_accepted(till: Till) -> None:
    first = await till.create(user_id="u1", plan="PREMIUM")
    second = await till.create(user_id="u1", plan="PREMIUM")
    await till.see(second)
    await till.see(first)
    [item] = await till.reviews(first)
    with pytest.raises(Conflict) as refused:
        await till.resolve(item, "accept")
    assert refused.value.code == "effect_no_longer_valid"
    assert (await till.resolve(item, "credit")).status is S.PAID
    assert await may_spend(till, "u1") == 50


async def test_credit_needs_an_amount_and_a_user(till: Till, usd: Payment) -> None:
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


@pytest.mark.parametrize("kind", ["unverifiable", "unreadable"])
async def test_money_that_was_never_seen_can_not_be_accepted(till: Till, usd: Payment, kind: str) -> None:
    if kind == "unverifiable":
        till.at(usd.watch_until)
        await till.answer(usd, Answer.NO_ANSWER, reason="server_unavailable")
    else:
        for _ in range(3):
            await till.answer(usd, Answer.UNREADABLE, raw="?")
    [item] = await till.reviews(usd)
    assert item.kind == kind
    before = await till.payment(usd)
    with pytest.raises(Conflict) as refused:
        await till.resolve(item, "accept")
    assert refused.value.code == "no_money_seen"
    look_again = {
        "unverifiable": f"POST /v1/payments/{usd.reference}/check.",
        "unreadable": f"resolve {item.reference} as not_ours, and the watcher goes on looking.",
    }
    for way_out in (look_again[kind], "POST /v1/users/{user_id}/credit"):
        assert way_out in str(refused.value)
    assert (await till.payment(usd), await till.reviews(usd)) == (before, [item])
    assert await till.violations() == []


async def test_money_without_whole_minor_units_can_not_be_accepted(till: Till) -> None:
    riel = await till.see(await till.create(user_id="u1", amount=Money(4000, "KHR")), amount=Decimal("4000.50"))
    [item] = await till.reviews(riel)
    with pytest.raises(Conflict) as refused:
        await till.resolve(item, "accept")
    assert refused.value.code == "no_money_seen"
    assert (await till.resolve(item, "refunded")).status is S.REFUNDED


async def test_an_unverifiable_payment_that_is_not_ours_keeps_its_status(till: Till, usd: Payment) -> None:
    till.at(usd.watch_until)
    await till.answer(usd, Answer.NO_ANSWER, reason="server_unavailable")
    [item] = await till.reviews(usd)
    assert (await till.resolve(item, "not_ours")).status is S.TIMEOUT


async def test_bad_decisions_are_refused_by_name(till: Till, usd: Payment) -> None:
    await till.see(usd, amount=Decimal("1.00"))
    [item] = await till.reviews(usd)
    with pytest.raises(Invalid, match="pay isn't an action; the actions are accept, credit, refunded, not_ours"):
        await till.resolve(item, "pay")
    for action in ("refunded", "not_ours"):
        with pytest.raises(Invalid, match="needs a note") as refused:
            await till.resolve(item, action, note="  ")
        assert [fault.pointer for fault in refused.value.faults] == ["/note"]
    with pytest.raises(NotFound, match="no review item rev_0"):
        await till.do(reviews.resolve, "rev_0", action="accept", actor="operator:x")


async def test_a_refund_is_recorded_and_takes_back_only_what_it_is_told_to(till: Till) -> None:
    kept = await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    taken = await till.see(await till.create(user_id="u2", plan="PREMIUM"))
    assert (await till.refund(kept)).status is S.REFUNDED
    assert (await till.refund(taken, reverse=True)).status is S.REFUNDED
    assert (await till.told(taken.reference))[-1] == "refunded"
    assert [receipt.disposition for receipt in await till.receipts(taken)] == ["refunded"]
    assert (await till.run(lambda c: subscriptions.live_of(c, "u1"))) is not None
    assert (await till.run(lambda c: subscriptions.live_of(c, "u2"))) is None
    assert await till.violations() == []
    with pytest.raises(Conflict, match="is refunded: refund isn't possible"):
        await till.refund(kept)


async def test_the_event_of_a_refund_says_what_was_taken_back(till: Till) -> None:
    kept = await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    taken = await till.see(await till.create(user_id="u2", plan="PREMIUM"))
    await till.refund(kept)
    assert (await till.events(kept.reference))[-1].data["reversed"] == {}
    await till.refund(taken, reverse=True)
    assert (await till.events(taken.reference))[-1].data["reversed"] == {"USD": {"period": "0.50"}}
    assert await where(till, kept) == await where(till, taken) == {"returned": "0.50"}


async def test_a_refund_in_place_takes_back_nothing_that_an_earlier_part_made_a_gift(till: Till) -> None:
    payment = await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    await till.refund(payment, amount=Decimal("0.10"))
    subscription = await till.of()
    await till.do(cancelling.cancel, subscription.reference, at_once=True, reason=None)
    await till.refund(payment)
    assert (await till.events(payment.reference))[-1].data["reversed"] == {"USD": {"lost": "0.40"}}
    assert await till.violations() == []


async def test_a_refund_that_left_the_service_in_place_is_reversed_later_and_once(till: Till) -> None:
    payment = await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    await till.refund(payment)
    reversed_later = await till.refund(payment, reverse=True)
    assert (reversed_later.status, reversed_later.flags) == (S.REFUNDED, frozenset({Flag.REVERSED}))
    assert (await till.told(payment.reference))[-1] == "reversed"
    assert (await till.run(lambda c: subscriptions.live_of(c, "u1"))) is None
    with pytest.raises(Conflict) as refused:
        await till.refund(payment, reverse=True)
    assert refused.value.code == "nothing_to_reverse"
    assert await till.violations() == []


async def test_a_one_off_payment_bought_nothing_that_could_be_reversed(till: Till, usd: Payment) -> None:
    await till.see(usd)
    await till.refund(usd)
    with pytest.raises(Conflict) as refused:
        await till.refund(usd, reverse=True)
    assert refused.value.code == "nothing_to_reverse"


@pytest.mark.parametrize("reverse", [True, False])
async def test_money_that_became_credit_is_refunded_and_its_credit_goes_back(till: Till, reverse: bool) -> None:
    credited, item = await underpaid(till, user_id="u1", plan="PREMIUM")
    await till.resolve(item, "credit")
    assert await may_spend(till, "u1") == 20
    assert (await till.refund(credited, reverse=reverse)).status is S.REFUNDED
    assert await may_spend(till, "u1") == 0
    assert (await till.events(credited.reference))[-1].data["reversed"] == {"USD": {"credit": "0.20"}}
    assert [receipt.disposition for receipt in await till.receipts(credited)] == ["refunded"]
    assert await where(till, credited) == {"returned": "0.20"}
    assert await till.violations() == []


@pytest.mark.parametrize(
    ("actions", "refundable"),
    [
        (("not_ours", "credit"), "0.20"),
        (("credit", "refunded"), "0.01"),
        (("credit", "credit"), "0.01"),  # the payment is paid by what became credit first
    ],
)
async def test_of_two_amounts_that_came_the_one_that_became_credit_is_refunded(
    till: Till, actions: tuple[str, str], refundable: str
) -> None:
    payment = await till.create(user_id="u1", plan="PREMIUM")
    for amount in ("0.01", "0.20"):
        await till.see(payment, amount=Decimal(amount))
        till.later(seconds=1)
    items = sorted(await till.reviews(payment), key=lambda item: item.opened_at)
    for item, action in zip(items, actions, strict=True):
        await till.resolve(item, action)
        till.later(seconds=1)
    payment = await till.payment(payment)
    value = await till.run(lambda c: whereabouts.of_payment(c, payment, now=till.now))
    assert (value.received, value.refundable) == ("0.21", refundable)
    had = await may_spend(till, "u1")
    await till.refund(payment)
    assert had - await may_spend(till, "u1") == int(Decimal(refundable) * 100)
    assert await till.violations() == []


async def test_a_receipt_shows_the_money_that_settled_the_payment_and_none_that_wasnt_ours(
    till: Till, usd: Payment
) -> None:
    await till.see(usd, amount=Decimal("1.00"))
    [item] = await till.reviews(usd)
    await till.resolve(item, "not_ours")
    shown = there(await till.read(refunds.settled_receipt, await till.see(usd)))
    assert (shown.receipt.money, shown.refunded, shown.kept) == (Money(250, "USD"), Money(0, "USD"), Money(250, "USD"))


async def test_the_receipt_of_money_that_isnt_in_the_ledger_has_no_sums(till: Till, usd: Payment) -> None:
    await till.see(usd, amount=Decimal("2.505"))
    [item] = await till.reviews(usd)
    shown = there(await till.read(refunds.settled_receipt, await till.resolve(item, "refunded")))
    assert (shown.receipt.amount, shown.refunded, shown.kept) == ("2.505", None, None)


async def test_money_that_nobody_could_read_has_no_receipt(till: Till, usd: Payment) -> None:
    for _ in range(3):
        await till.answer(usd, Answer.UNREADABLE, raw="?")
    [item] = await till.reviews(usd)
    refunded = await till.resolve(item, "refunded")
    assert (refunded.status, await till.read(refunds.settled_receipt, refunded)) == (S.REFUNDED, None)


async def test_what_is_not_to_be_refunded_is_refused(till: Till, usd: Payment) -> None:
    with pytest.raises(Conflict, match="is pending"):
        await till.refund(usd)

    async def record(reference: str, transfer: str) -> None:
        await till.do(reviews.record_refund, reference, refund_reference=transfer, reverse=False, actor="o")

    with pytest.raises(Invalid, match="give the reference of the transfer"):
        await record(usd.reference, " ")
    with pytest.raises(NotFound, match="no payment pay_0"):
        await record("pay_0", "FT1")


async def test_the_queue_is_read_in_pages(till: Till) -> None:
    for _ in range(3):
        await underpaid(till)
        till.later(seconds=1)
    newest_first = await till.run(lambda c: queue.page(c, limit=2))
    assert len(newest_first) == 2
    assert newest_first[0].opened_at > newest_first[1].opened_at
    [oldest] = await till.run(lambda c: queue.page(c, limit=2, below=newest_first[1].id))
    assert await till.run(lambda c: queue.page(c, limit=2, above=oldest.id)) == newest_first[::-1]
    await till.resolve(oldest, "not_ours")
    assert len(await till.run(lambda c: queue.page(c, limit=9))) == 2
    assert len(await till.run(lambda c: queue.page(c, limit=9, only_open=False))) == 3


async def test_a_part_is_refunded_and_the_payment_stays_paid_until_nothing_is_left(till: Any, usd: Payment) -> None:
    await till.see(usd)
    first = await till.refund(usd, amount=Decimal("1.00"))
    assert (first.status, first.flags) == (S.PAID, {Flag.PARTLY_REFUNDED})
    told = (await till.events(usd.reference))[-1]
    assert told.type == "payment.partly_refunded"
    assert told.data["refund"] == {"amount": "1.00", "refunded": "1.00", "left": "1.50", "currency": "USD"}
    assert [receipt.disposition for receipt in await till.receipts(usd)] == ["applied"]
    assert await where(till, usd) == {"served": "1.50", "returned": "1.00"}
    assert await till.violations() == []
    with pytest.raises(Conflict, match=r"1\.51 USD is more than the 1\.50 USD that is left") as refused:
        await till.refund(usd, amount=Decimal("1.51"))
    assert refused.value.code == "refund_too_large"
    last = await till.refund(usd, amount=Decimal("1.5"))
    assert last.status is S.REFUNDED
    told = (await till.events(usd.reference))[-1]
    assert told.type == "payment.refunded"
    assert told.data["refund"] == {"amount": "1.50", "refunded": "2.50", "left": "0.00", "currency": "USD"}
    assert [receipt.disposition for receipt in await till.receipts(usd)] == ["refunded"]
    with pytest.raises(Conflict, match="is refunded: refund isn't possible"):
        await till.refund(usd, amount=Decimal("0.01"))
    assert await till.violations() == []


async def test_a_transfer_that_sent_money_back_is_recorded_once(till: Till, usd: Payment) -> None:
    await till.see(usd)

    async def record(transfer: str, amount: str | None) -> Payment:
        return await till.do(
            reviews.record_refund, usd.reference, refund_reference=transfer, reverse=False,
            amount=None if amount is None else Decimal(amount), actor="o",
        )  # fmt: skip

    await record("FT1", "1.00")
    for amount in ("1.00", "0.50", None):
        with pytest.raises(Conflict, match=r"the refund FT1 of .* is recorded already") as refused:
            await record("FT1", amount)
        assert refused.value.code == "refund_recorded"
    assert await where(till, usd) == {"served": "1.50", "returned": "1.00"}
    assert (await record("FT2", None)).status is S.REFUNDED


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN"])
async def test_an_amount_that_cant_be_sent_back_is_refused(till: Any, usd: Payment, amount: str) -> None:
    await till.see(usd)
    with pytest.raises(Invalid) as refused:
        await till.refund(usd, amount=Decimal(amount))
    assert refused.value.code == "invalid_amount"
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/amount", "invalid_amount")]
    assert (await till.payment(usd)).version == 2


async def test_two_refunds_of_a_part_at_once_never_send_back_more_than_came(till: Any, usd: Payment) -> None:
    await till.see(usd)
    done = await asyncio.gather(*(till.refund(usd, amount=Decimal("1.00")) for _ in range(5)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["Conflict"] * 3 + ["Payment"] * 2
    assert await where(till, usd) == {"served": "0.50", "returned": "2.00"}
    assert await till.violations() == []


async def test_a_part_that_went_back_without_a_record_breaks_a_promise(till: Any, usd: Payment) -> None:
    await till.see(usd)
    await till.refund(usd, amount=Decimal("1.00"))
    await till.run(lambda c: c.execute(update(schema.payments).values(flags=frozenset())))
    assert [each.found for each in await till.violations()] == ["applied, and 0 waits, 100 went back"]
