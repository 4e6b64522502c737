"""Credit: earned, set aside, spent, given back, and never below zero."""

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from bakong_service.domain.errors import Conflict
from bakong_service.domain.identifiers import Identifiers
from bakong_service.domain.money import Money
from bakong_service.domain.payment import NewPayment, Purpose
from bakong_service.operations import cancelling, credit, payments, plan_changes, renewing, reversing, reviews
from bakong_service.operations.settling import pass_deadline
from bakong_service.storage import payments as rows
from bakong_service.storage import subscriptions

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Reckoning is the same on both databases; SQLite is the faster one. Two at once: `test_flaws.py`."""
    return sqlite_url


async def give(desk: Any, minor: int, currency: str = "USD", source: str = "rev_1") -> None:
    amount = Money(minor, currency)
    await desk.do(credit.grant, user_id="u1", amount=amount, reason="granted", source=source)


async def renew(desk: Any, reference: str) -> Any:
    return await desk.do(renewing.renew, reference, actor="api:test")


async def time_out(desk: Any, payment: Any) -> None:
    desk.after(seconds=16 * 60)
    await desk.do(lambda c, b, now: pass_deadline(c, b, rows.lock(c, payment.id), now=now))


async def test_credit_is_given_once_for_a_reason_and_a_source(desk: Any) -> None:
    await give(desk, 30)
    await give(desk, 30)
    assert await desk.credit() == 30


async def test_credit_of_nothing_is_refused(desk: Any) -> None:
    with pytest.raises(ValueError, match="more than zero"):
        await give(desk, 0)


async def test_a_renewal_costs_less_by_the_credit_which_is_set_aside_at_once(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    payment = (await renew(desk, subscription.reference)).payment
    assert (payment.amount, payment.credit_reserved) == (Money(30, "USD"), 20)
    assert await desk.credit() == 0
    await desk.pay(payment)
    assert ((await desk.of()).last_paid_period, await desk.credit()) == (2, 0)


async def test_credit_set_aside_is_given_back_when_the_payment_closes_unpaid(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    payment = (await renew(desk, subscription.reference)).payment
    await desk.do(payments.cancel, payment.reference, reason="changed my mind", actor="api:test")
    assert await desk.credit() == 20


async def test_a_newer_qr_takes_over_what_was_set_aside_for_the_older(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    await renew(desk, subscription.reference)
    desk.after(seconds=400)
    payment = (await renew(desk, subscription.reference)).payment
    assert (payment.amount.minor, payment.credit_reserved, await desk.credit()) == (30, 20, 0)
    again = await desk.buy("PREMIUM")  # the same through POST /v1/payments
    assert (again.purpose, again.amount.minor, again.credit_reserved) == (Purpose.RENEWAL, 30, 20)
    assert await desk.credit() == 0


async def test_credit_that_pays_it_all_renews_without_a_qr(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 80)
    renewed = await renew(desk, subscription.reference)
    assert (renewed.payment, renewed.subscription.last_paid_period) == (None, 2)
    assert await desk.credit() == 30
    assert (await desk.told(subscription.reference))[-1] == "renewed"


async def test_the_api_for_payments_names_the_renewal_where_credit_pays_it_all(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 50)
    with pytest.raises(Conflict, match=f"/v1/subscriptions/{subscription.reference}/renew") as refused:
        await desk.buy("PREMIUM")
    assert refused.value.code == "credit_covers_it"


async def test_looking_never_spends_credit(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 50)
    desk.after(days=29)
    after = await desk.do(renewing.look_at, subscription.id)
    assert (after.last_paid_period, await desk.credit()) == (1, 50)


async def test_a_rest_below_what_a_qr_can_ask_for_isnt_charged(desk: Any) -> None:
    subscription = await desk.subscribe("BASIC_KHR")
    await give(desk, 1950, "KHR")
    renewed = await renew(desk, subscription.reference)
    assert (renewed.payment, await desk.credit(currency="KHR")) == (None, 0)


async def test_a_rest_that_a_qr_can_ask_for_is_charged(desk: Any) -> None:
    subscription = await desk.subscribe("BASIC_KHR")
    await give(desk, 1900, "KHR")
    assert (await renew(desk, subscription.reference)).payment.amount == Money(100, "KHR")


async def test_a_new_subscription_is_cheaper_by_the_credit_but_its_qr_asks_for_something(desk: Any) -> None:
    await give(desk, 200)
    payment = await desk.buy("PREMIUM")
    assert (payment.amount.minor, payment.credit_reserved) == (1, 49)
    await desk.pay(payment)
    assert ((await desk.of()).status, await desk.credit()) == ("active", 151)


async def test_an_upgrade_uses_credit_too(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    assert (asked.quote.proration, asked.quote.credit, asked.quote.amount) == ("0.50", "0.20", "0.30")
    await desk.pay(asked.payment)
    assert ((await desk.of()).plan.code, await desk.credit()) == ("FAMILY_PREMIUM", 0)


async def test_credit_that_pays_an_upgrade_switches_at_once(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 60)
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    assert (asked.payment, asked.subscription.plan.code, await desk.credit()) == (None, "FAMILY_PREMIUM", 10)


async def test_credit_of_another_currency_isnt_touched(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 5000, "KHR")
    assert (await renew(desk, subscription.reference)).payment.amount == Money(50, "USD")


async def test_late_money_takes_the_credit_that_was_given_back_again(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    payment = (await renew(desk, subscription.reference)).payment
    await time_out(desk, payment)
    assert await desk.credit() == 20
    paid = await desk.pay(payment, sent_at=payment.created_at + timedelta(minutes=1))
    assert (paid.status, await desk.credit(), (await desk.of()).last_paid_period) == ("paid", 0, 2)


async def test_late_money_whose_credit_is_spent_meanwhile_goes_to_a_person(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    payment = (await renew(desk, subscription.reference)).payment
    await time_out(desk, payment)
    await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")  # sets it aside
    paid = await desk.pay(payment, sent_at=payment.created_at + timedelta(minutes=1))
    assert (paid.status, await desk.credit()) == ("review", 0)


# Taking back what a refunded payment bought


async def reverse(desk: Any, payment: Any) -> None:
    fresh = await desk.read(rows.by_reference, payment.reference)
    await desk.do(reversing.reverse, fresh, actor="operator:sokha")


async def test_a_refund_of_the_only_period_ends_the_subscription_now(desk: Any) -> None:
    payment = await desk.buy()
    await desk.pay(payment)
    desk.after(days=2)
    await reverse(desk, payment)
    after = await desk.of()
    assert (after.status, after.entitled_until) == ("expired", desk.now)
    assert await desk.told(after.reference) == ["activated", "cancelled", "ended"]


async def test_a_refund_of_the_only_period_of_a_cancelled_subscription_ends_it_now(desk: Any) -> None:
    payment = await desk.buy()
    await desk.pay(payment)
    await desk.do(cancelling.cancel, (await desk.of()).reference, at_once=False, reason=None, actor="api:test")
    await reverse(desk, payment)
    assert (await desk.of()).entitled_until == desk.now


async def test_a_refund_takes_the_last_paid_period_and_it_can_be_sold_again(desk: Any) -> None:
    subscription = await desk.subscribe()
    payment = (await renew(desk, subscription.reference)).payment
    await desk.pay(payment)
    await reverse(desk, payment)
    after = await desk.of()
    assert (after.status, after.last_paid_period, after.entitled_until) == ("active", 1, subscription.entitled_until)
    await desk.pay((await renew(desk, subscription.reference)).payment)
    assert (await desk.of()).last_paid_period == 2


async def test_a_refund_of_a_period_that_was_served_takes_nothing(desk: Any) -> None:
    first = await desk.buy()
    await desk.pay(first)
    subscription = await desk.of()
    await desk.pay((await renew(desk, subscription.reference)).payment)
    desk.after(days=31)
    await reverse(desk, first)
    after = await desk.of()
    assert (after.status, after.entitled_until) == ("active", subscription.anchor_at + timedelta(days=60))


async def test_a_refund_of_an_upgrade_brings_the_former_plan_back(desk: Any) -> None:
    subscription = await desk.subscribe()
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    await desk.pay(asked.payment)
    await reverse(desk, asked.payment)
    assert (await desk.of()).plan.code == "PREMIUM"
    assert await desk.told(subscription.reference) == ["activated", "upgraded", "downgraded"]


async def test_a_refund_of_an_upgrade_that_was_followed_by_another_plan_takes_nothing(desk: Any) -> None:
    subscription = await desk.subscribe()
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    await desk.pay(asked.payment)
    further = await desk.do(plan_changes.upgrade, subscription.reference, "BUSINESS", actor="api:test")
    await desk.pay(further.payment)
    await reverse(desk, asked.payment)
    assert (await desk.of()).plan.code == "BUSINESS"


async def test_a_refund_of_what_is_over_takes_nothing(desk: Any) -> None:
    payment = await desk.buy()
    await desk.pay(payment)
    desk.after(days=40)
    await reverse(desk, payment)
    assert (await desk.told((await desk.of()).reference))[-1] == "expired"


async def test_a_refund_of_money_that_became_credit_takes_what_is_left_of_it(desk: Any) -> None:
    subscription = await desk.subscribe()
    payment = (await renew(desk, subscription.reference)).payment
    await desk.do(cancelling.cancel, subscription.reference, at_once=False, reason=None, actor="api:test")
    await accept(desk, payment)
    assert await desk.credit() == 50
    await desk.do(cancelling.resume, subscription.reference, actor="api:test")
    await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")  # spends it
    await give(desk, 7)
    await reverse(desk, payment)
    assert await desk.credit() == 0


# Whatever an operator accepts does something, and never raises


async def accept(desk: Any, payment: Any) -> Any:
    """Apply a payment's money whatever became of the subscription, as an operator may choose."""
    from bakong_service.operations.subscriptions import apply_payment

    fresh = await desk.read(rows.by_reference, payment.reference)
    return await desk.do(apply_payment, fresh, paid_at=desk.now)


async def test_accepted_money_for_another_subscription_becomes_credit(desk: Any) -> None:
    first = await desk.buy("PREMIUM")
    await desk.subscribe("FAMILY_PREMIUM")
    effect = await accept(desk, first)
    assert (effect.kind, effect.target, await desk.credit()) == ("credited", None, 50)


async def test_accepted_money_for_the_same_plan_extends_it(desk: Any) -> None:
    first = await desk.buy("PREMIUM")
    await desk.pay(await desk.buy("PREMIUM"))
    effect = await accept(desk, first)
    assert (effect.kind, (await desk.of()).last_paid_period) == ("renewed", 2)


async def test_accepted_money_for_an_upgrade_of_what_is_cancelled_becomes_credit(desk: Any) -> None:
    subscription = await desk.subscribe()
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    await desk.do(cancelling.cancel, subscription.reference, at_once=False, reason=None, actor="api:test")
    effect = await accept(desk, asked.payment)
    assert (effect.kind, await desk.credit()) == ("credited", asked.payment.amount.minor)


async def test_accepted_money_of_a_reduced_payment_waives_the_credit_that_is_gone(desk: Any) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    payment = (await renew(desk, subscription.reference)).payment
    await time_out(desk, payment)
    await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    effect = await accept(desk, payment)
    assert (effect.kind, await desk.credit()) == ("renewed", 0)
    assert (await desk.read(subscriptions.last_of, "u1")).last_paid_period == 2


# The ground


async def test_two_entries_that_are_given_one_id_are_both_written(desk: Any) -> None:
    bits = iter([7, 7, 8])
    desk.business = evolve(desk.business, identifiers=Identifiers(random_bits=lambda _: next(bits)))
    await give(desk, 10, source="rev_1")
    await give(desk, 20, source="rev_2")
    assert await desk.credit() == 30


async def test_a_payment_of_nobody_has_no_credit(desk: Any) -> None:
    one_off = await desk.do(payments.create, NewPayment(amount=Money(100, "USD")), actor="api:test")
    with pytest.raises(ValueError, match="belongs to no user"):
        credit.owner(one_off)


async def test_an_event_tells_the_credit_that_is_left_after_it(desk: Any) -> None:
    await give(desk, 40)
    asked = await desk.buy()
    await time_out(desk, asked)
    assert await desk.credit() == 40  # given back, and taken again when the money is seen
    await desk.pay(asked, sent_at=asked.created_at)
    (activated,) = await desk.events((await desk.of()).reference)
    assert activated["credit"] == {"amount": "0.00", "currency": "USD"}
    assert await desk.credit() == 0


async def test_a_change_at_the_end_is_told_with_the_payment_that_asks_for_it_and_so_is_its_withdrawal(
    desk: Any,
) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    await desk.do(renewing.renew, subscription.reference, actor="api:test")
    for plan, scheduled, amount, reason in (
        ("PREMIUM", "PREMIUM", "0.50", "downgrade_scheduled"),
        ("FAMILY_PREMIUM", None, "1.00", "downgrade_withdrawn"),
    ):
        await desk.do(plan_changes.downgrade, subscription.reference, plan, at_once=False, actor="api:test")
        told = (await desk.events(subscription.reference))[-1]
        assert (told["type"], told["scheduled_plan"], told["reason"]) == (
            "subscription.downgrade_scheduled", scheduled, reason,
        )  # fmt: skip
        assert told["open_payment"]["amount"] == amount


async def test_more_money_for_a_refunded_payment_gives_no_credit_back_that_it_spent(desk: Any) -> None:
    await give(desk, 49)
    bought = await desk.pay(await desk.buy())
    assert bought.credit_reserved == 49
    await desk.do(
        reviews.record_refund, bought.reference, refund_reference="FT1", reverse=False, operator="operator:dara"
    )
    await desk.pay(bought)
    assert await desk.credit() == 0
