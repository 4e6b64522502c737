"""Faults of the service that this one replaces. Each was reproduced there, and none of them is here."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from bakong_khqr import KHQR, emv, verify
from bakong_service.domain.errors import Conflict, Invalid
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer
from bakong_service.domain.payment import Flag, Payment, PaymentStatus
from bakong_service.storage import audit, history, schema
from bakong_service.storage.payments import effects
from bakong_service.storage.subscriptions import subscriptions
from bakong_service.storage.webhooks import outbox
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio
S = PaymentStatus


def qr_of(till: Till, payment: Payment) -> str:
    return till.business.vault.open(payment.qr, f"payments.qr_enc.{payment.reference}")


async def test_the_qr_passes_the_verifier_with_its_expiry(till: Till, usd: Payment) -> None:
    payload = qr_of(till, usd)
    assert verify(payload, now=till.now).problems == ()
    assert KHQR.decode(payload).expires_at == usd.qr_expires_at


async def test_whoever_sees_the_money_first_activates_the_subscription(till: Till) -> None:
    payment = await till.create(user_id="u1", plan="PREMIUM")
    await till.settle(payment, till.found(payment), fence=None)
    live = there(await till.read(subscriptions.live_of, "u1"))
    assert live.entitled_until == till.now + timedelta(days=30)


@pytest.mark.parametrize(
    "differently", [{"amount": Decimal("0.01")}, {"currency": "KHR"}, {"to_account": "somebody@else"}]
)
async def test_another_amount_currency_or_receiver_does_not_pay(till: Till, differently: dict[str, Any]) -> None:
    payment = await till.create(user_id="u1", plan="PREMIUM")
    after = await till.see(payment, **differently)
    assert after.status is S.REVIEW
    assert await till.run(lambda c: subscriptions.live_of(c, "u1")) is None
    assert [receipt.disposition for receipt in await till.receipts(payment)] == ["open"]
    assert await till.told(payment.reference) == ["created", "review_required"]


async def test_money_that_comes_after_the_timeout_is_seen(till: Till, usd: Payment) -> None:
    till.at(usd.deadline_at)
    after = await till.answer(usd, Answer.NOT_FOUND)
    assert (after.status, after.next_check_at) == (S.TIMEOUT, till.now + timedelta(minutes=2))
    till.later(minutes=10)
    paid = await till.see(usd)
    assert (paid.status, paid.flags) == (S.PAID, frozenset({Flag.LATE}))
    assert (await till.events(usd.reference))[-1].data["late"] is True


async def test_no_number_of_attempts_ends_the_watch(till: Till, usd: Payment) -> None:
    for _ in range(80):
        till.later(seconds=10)
        payment = await till.answer(usd, Answer.NOT_FOUND)
        assert (payment.status, payment.next_check_at is not None) == (S.PENDING, True)
    till.at(usd.deadline_at)
    assert (await till.answer(usd, Answer.NOT_FOUND)).status is S.TIMEOUT


async def test_a_timeout_is_never_pending_again(till: Till, usd: Payment) -> None:
    till.at(usd.deadline_at)
    await till.answer(usd, Answer.NOT_FOUND)
    for answer in (Answer.NOT_FOUND, Answer.NO_ANSWER, Answer.FAILED_TX, Answer.STATIC_QR):
        till.later(seconds=1)
        assert (await till.answer(usd, answer, reason="x")).status is S.TIMEOUT
    assert [change.new_status for change in await till.history(usd)] == ["timeout", "pending"]


async def test_the_plans_price_wins_over_the_callers_amount(till: Till) -> None:
    for amount in (Money(1, "USD"), Money(100, "KHR"), Money(51, "USD")):
        with pytest.raises(Invalid, match=r"the plan FAMILY_PREMIUM costs 1.00 USD") as refused:
            await till.create(user_id="u1", plan="FAMILY_PREMIUM", amount=amount)
        assert refused.value.faults[0].pointer == "/amount"
    with pytest.raises(ValueError, match="XYZ"):
        Money(1, "XYZ")
    assert await till.run(lambda c: c.execute(select(func.count()).select_from(schema.payments)).scalar_one()) == 0
    assert (await till.create(user_id="u1", plan="FAMILY_PREMIUM", amount=Money(100, "USD"))).amount.minor == 100


async def test_riel_has_no_decimals(till: Till) -> None:
    payment = await till.create(amount=Money(10_000, "KHR"))
    assert emv.to_dict(emv.parse(qr_of(till, payment)))["54"] == "10000"
    assert str(payment.amount) == "10000"
    with pytest.raises(ValueError, match="more than 0 decimals"):
        Money.of(Decimal("0.5"), "KHR")


async def test_money_is_counted_in_whole_minor_units(till: Till) -> None:
    payment = await till.create(amount=Money.of(Decimal("0.1") + Decimal("0.2"), "USD"))
    assert (payment.amount.minor, str(payment.amount)) == (30, "0.30")
    assert (await till.see(payment, amount=Decimal("0.3"))).status is S.PAID
    with pytest.raises(TypeError):
        Money(0.3, "USD")  # type: ignore[arg-type]  # a float is what it refuses


TABLES = (schema.payments, schema.payment_history, schema.audit_log, schema.events, schema.receipts, schema.effects)


async def counted(till: Till) -> dict[str, int]:
    def query(connection: Connection) -> dict[str, int]:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES
        }

    return await till.run(query)


@pytest.mark.parametrize(("module", "name"), [(history, "write_payment"), (audit, "write"), (outbox, "append")])
async def test_a_create_that_fails_halfway_leaves_nothing(
    till: Till, module: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("halfway")

    before = await counted(till)
    monkeypatch.setattr(module, name, fails)
    with pytest.raises(RuntimeError, match="halfway"):
        await till.create(user_id="u1", plan="PREMIUM")
    assert await counted(till) == before


async def test_many_at_once_settle_a_payment_once(till: Till) -> None:
    payment = await till.create(user_id="u1", plan="PREMIUM")
    seen = till.found(payment)
    settled = await asyncio.gather(*(till.settle(payment, seen) for _ in range(20)))
    assert {each.status for each in settled} == {S.PAID}
    changes = [change.new_status for change in await till.history(payment)]
    assert changes == ["paid", "pending"]
    assert (await counted(till))["effects"] == 1
    assert await till.violations() == []


async def test_different_money_at_once_pays_once(till: Till) -> None:
    payment = await till.create(user_id="u1", plan="PREMIUM")
    await asyncio.gather(*(till.see(payment) for _ in range(10)))
    dispositions = sorted(receipt.disposition for receipt in await till.receipts(payment))
    assert dispositions == ["applied", *["open"] * 9]
    assert len(await till.reviews(payment)) == 9
    assert await till.violations() == []


async def test_a_repeated_create_leaves_one_open_payment(till: Till) -> None:
    made = await asyncio.gather(*(till.create(user_id="u1", plan="PREMIUM") for _ in range(8)))
    now = [await till.payment(payment) for payment in made]
    assert sorted(payment.status for payment in now) == [*["cancelled"] * 7, "pending"]
    assert await till.violations() == []


async def test_open_payments_of_one_user_are_bounded(till: Till) -> None:
    for _ in range(5):
        await till.create(user_id="u1", amount=Money(1, "USD"))
    with pytest.raises(Conflict) as refused:
        await till.create(user_id="u1", amount=Money(1, "USD"))
    assert refused.value.code == "too_many_open_payments"
    await till.create(user_id="u2", amount=Money(1, "USD"))


async def test_a_second_effect_of_a_payment_is_refused_by_the_database(till: Till) -> None:
    payment = await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    with pytest.raises(Exception, match="effects"):
        await till.run(lambda c: effects.add(c, payment.id, kind="new", target=None, now=till.now))
    assert (await counted(till))["effects"] == 1


async def test_every_payment_has_its_history(till: Till, usd: Payment) -> None:
    await till.see(usd)
    assert [change.new_status for change in await till.history(usd)] == ["paid", "pending"]


async def test_what_is_asked_for_wrongly_is_named(till: Till) -> None:
    cases: list[tuple[dict[str, object], str, str]] = [
        ({"user_id": "u1"}, "/amount", "amount and currency are required"),
        ({"amount": Money(0, "USD")}, "/amount", "more than 0, not 0.00"),
        ({"plan": "PREMIUM"}, "/user_id", "user_id is required with a plan"),
        ({"user_id": "u1", "plan": "GOLD"}, "/plan", "no plan GOLD; the plans are FAMILY_PREMIUM, PREMIUM"),
    ]
    before = await counted(till)
    for asked, pointer, message in cases:
        with pytest.raises(Invalid, match=message) as refused:
            await till.create(**asked)
        assert refused.value.faults[0].pointer == pointer
    assert await counted(till) == before
