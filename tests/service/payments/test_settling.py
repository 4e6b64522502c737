"""The corners of settling: money of another payment, money that comes too late to buy anything, doubts that end."""

import asyncio
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from bakong_khqr import KHQR
from bakong_service import resources
from bakong_service.domain.errors import Conflict, Invalid, NotFound
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer
from bakong_service.domain.payment import Flag, Payment, PaymentStatus
from bakong_service.domain.policy import Shop
from bakong_service.operations.payments import issuing
from bakong_service.operations.payments import requests as operations
from bakong_service.storage.subscriptions import subscriptions
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio
S = PaymentStatus


async def test_a_transaction_that_paid_another_payment_pays_no_second_one(till: Till, usd: Payment) -> None:
    seen = till.found(usd)
    await till.settle(usd, seen)
    other = await till.create(amount=Money(250, "USD"))
    after = await till.settle(other, seen)
    assert after.status is S.REVIEW
    [item] = await till.reviews(other)
    assert (item.kind, item.receipt_id) == ("used_elsewhere", None)
    assert item.details == {"difference": "used_elsewhere", "tx_hash": there(seen.sighting).tx_hash}
    assert await till.receipts(other) == []
    await till.settle(other, seen)
    assert len(await till.reviews(other)) == 1
    assert await till.violations() == []


async def test_one_transaction_seen_for_several_payments_at_the_same_moment_pays_one_of_them(till: Till) -> None:
    made = [await till.create(amount=Money(250, "USD")) for _ in range(8)]
    seen = till.found(made[0])
    after = await asyncio.gather(*(till.settle(payment, seen) for payment in made))
    assert Counter(payment.status for payment in after) == {S.PAID: 1, S.REVIEW: 7}
    assert sum([len(await till.receipts(payment)) for payment in made]) == 1
    assert await till.violations() == []


async def test_one_transfer_pays_no_second_payment_even_by_an_operators_word(till: Till, usd: Payment) -> None:
    seen = till.found(usd)
    await till.settle(usd, seen)
    other = await till.create(amount=Money(250, "USD"))
    await till.settle(other, seen)
    [item] = await till.reviews(other)
    with pytest.raises(Conflict, match="belongs to another payment: decide about the money there"):
        await till.resolve(item, "accept")
    await till.resolve(item, "not_ours")
    after = await till.settle(other, seen)
    assert (after.status, await till.reviews(other)) == (S.TIMEOUT, []), (
        "what was disowned once isn't asked about again"
    )
    till.at(other.watch_until)
    assert (await till.settle(other, till.found(usd, tx_hash=there(seen.sighting).tx_hash))).status is S.EXPIRED
    assert await till.violations() == []


async def test_money_after_all_ends_the_doubt_whether_there_was_any(till: Till, usd: Payment) -> None:
    till.at(usd.watch_until)
    await till.answer(usd, Answer.NO_ANSWER, reason="blocked")
    await till.see(usd)
    [item] = await till.reviews(usd)
    assert item.kind == "late"
    assert (await till.resolve(item, "accept")).status is S.PAID
    assert await till.reviews(usd) == []
    assert await till.violations() == []


async def test_money_whose_purpose_is_gone_goes_to_a_person(till: Till) -> None:
    first = await till.create(user_id="u1", plan="PREMIUM")
    till.at(first.deadline_at)
    await till.answer(first, Answer.NOT_FOUND)
    await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    after = await till.see(first, sent_at=first.created_at + timedelta(minutes=1))
    assert after.status is S.REVIEW
    assert [item.kind for item in await till.reviews(first)] == ["no_longer_valid"]
    assert await till.violations() == []


async def test_an_answer_after_all_ends_the_doubt_and_nothing_else(till: Till, usd: Payment) -> None:
    till.at(usd.watch_until)
    await till.answer(usd, Answer.NO_ANSWER, reason="blocked")
    assert [item.kind for item in await till.reviews(usd)] == ["unverifiable"]
    after = await till.answer(usd, Answer.NOT_FOUND)
    assert (after.status, after.flags, after.next_check_at) == (S.EXPIRED, frozenset({Flag.UNVERIFIABLE}), None)
    assert await till.reviews(usd) == []
    [item] = await till.reviews(usd, only_open=False)
    assert (item.action, item.operator) == ("answered", "system:watcher")


async def test_other_money_ends_the_doubt_and_more_of_it_is_asked_about_anew(till: Till, usd: Payment) -> None:
    till.at(usd.watch_until)
    await till.answer(usd, Answer.NO_ANSWER, reason="blocked")
    await till.see(usd, amount=Decimal("9.00"))
    [amount] = await till.reviews(usd)
    assert amount.kind == "amount"
    await till.resolve(amount, "accept")
    await till.see(usd)
    assert [item.kind for item in await till.reviews(usd)] == ["duplicate_receipt"]


async def test_a_failed_payment_is_let_go_when_bakong_says_so_at_the_end(till: Till) -> None:
    payment = await till.create(user_id="u1", plan="PREMIUM")
    await till.answer(payment, Answer.FAILED_TX)
    till.later(seconds=30)
    assert (await till.answer(payment, Answer.FAILED_TX)).status is S.FAILED
    till.at(payment.watch_until)
    after = await till.answer(payment, Answer.FAILED_TX)
    assert (after.status, after.next_check_at) == (S.FAILED, None)
    assert await till.violations() == []


async def test_a_merchants_khqr_names_bank_and_merchant(till: Till) -> None:
    shop = Shop(
        bakong_account_id="shop@aclb",
        merchant_name="Sokha Coffee",
        merchant_name_km="កាហ្វេសុខា",
        merchant_id="123456",
        acquiring_bank="Dev Bank",
    )
    till.business = evolve(till.business, shop=shop)
    payment = await till.create(amount=Money(4000, "KHR"))
    khqr = KHQR.decode(till.business.vault.open(payment.qr, f"payments.qr_enc.{payment.reference}"))
    assert (khqr.kind, khqr.merchant_id, khqr.acquiring_bank) == ("merchant", "123456", "Dev Bank")
    assert (khqr.merchant_name_alternate_language, khqr.language_preference) == ("កាហ្វេសុខា", "km")
    assert (await till.see(payment)).status is S.PAID


async def test_a_khqr_that_our_own_verifier_refuses_is_never_shown(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    long_gone = till.now - timedelta(days=365)
    monkeypatch.setattr(issuing, "verify", lambda payload, now: _verify(payload + "x", now))
    with pytest.raises(Invalid, match="doesn't pass verification"):
        await till.create()
    assert long_gone < till.now


def _verify(payload: str, now: Any) -> Any:
    from bakong_khqr import verify

    return verify(payload, now=now)


async def test_a_renewal_names_its_subscription(till: Till) -> None:
    bought = await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    renewal = await till.create(user_id="u1", plan="PREMIUM")
    live = there(await till.read(subscriptions.live_of, "u1"))
    assert live.reference == renewal.subscription == bought.subscription
    assert resources.Payment.of(renewal).subscription == live.reference
    assert (await till.payment(bought)).subscription_id == live.id
    changes = await till.history(live)
    assert [change.new_status for change in changes] == ["active"]


async def test_what_is_not_there_can_not_be_acted_on(till: Till) -> None:
    for operation in (operations.hint, operations.viewed):
        with pytest.raises(NotFound, match="no payment pay_0"):
            await till.do(operation, "pay_0")


async def test_the_public_shape_says_when_and_why_it_is_looked_at(till: Till, usd: Payment) -> None:
    shown = resources.plain(resources.Payment.of(usd))
    assert shown["next_check_at"] == "2026-11-01T12:00:03.000Z"
    assert (shown["next_check_reason"], shown["amount"], shown["currency"]) == ("payer_may_pay", "2.50", "USD")
    assert (shown["status"], shown["late"], shown["flags"], shown["metadata"]) == ("pending", False, [], {})
    assert "qr" not in shown
