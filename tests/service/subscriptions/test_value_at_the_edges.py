"""Value moves right where there is little of it: after a boundary, in the last second, and beside other credit."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from bakong_service.domain import ledger as accounts
from bakong_service.domain.ledger import gift_origin
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Purpose
from bakong_service.domain.plan import PlanTerms
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments import reviews
from bakong_service.operations.subscriptions import cancelling, plan_changes, plans, renewing
from bakong_service.storage.checks.invariants import Violation
from bakong_service.storage.checks.verification import verify
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.ledger.period_values import astray
from bakong_service.storage.payments import receipts
from bakong_service.storage.payments import reviews as queue
from bakong_service.storage.subscriptions import periods, subscription_payments
from kit.there import there
from kit.till import Till

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("books")]
PERIOD = timedelta(days=30)
PREMIUM = 50  # cents


@pytest.fixture
async def books(desk: Till) -> AsyncIterator[None]:
    """When the test is over, every promise holds."""
    yield
    found = await desk.executor.read(
        lambda c: verify(c, desk.business.vault, subscription_grace=timedelta(days=3), now=desk.now), many=True
    )
    assert [each for each in found if each.invariant != "I7"] == []  # no watcher looks here


async def give(desk: Till, minor: int) -> str:
    """Give credit. Return its origin."""
    given = await desk.do(credit.grant, "u1", Money(minor, "USD"), reason="goodwill", actor="operator:sokha")
    return gift_origin(given.reference)


async def accept(desk: Till, payment: Any) -> Any:
    (item,) = await desk.read(queue.of_payment, payment.id, only_open=True)
    return await desk.do(reviews.resolve, item.reference, action="accept", actor="operator:dara")


async def refund(desk: Till, payment: Any, *, reverse: bool = True) -> None:
    await desk.do(reviews.record_refund, payment.reference, refund_reference="FT1", reverse=reverse)


async def upgrade(desk: Till, plan: str) -> Any:
    asked = await desk.do(plan_changes.upgrade, (await desk.of()).reference, plan)
    return asked.payment


async def renew(desk: Till) -> Any:
    return (await desk.do(renewing.renew, (await desk.of()).reference)).payment


async def paid_periods(desk: Till) -> list[Any]:
    found: list[Any] = await desk.read(periods.from_number, (await desk.of()).id, 1)
    return found


async def places(desk: Till, payment: Any) -> dict[str, int]:
    """Return where the money of a payment is."""
    seen = await desk.read(receipts.of_payment, payment.id)
    found = await desk.read(ledger.of_origins, [f"receipt:{each.id}" for each in seen])
    return {each.account.kind.value: each.money.minor for each in found}


@pytest.mark.parametrize("after_its_end", [timedelta(0), timedelta(minutes=1)])
async def test_an_upgrade_that_is_paid_in_grace_leaves_the_period_that_is_over_as_it_was(
    desk: Till, after_its_end: timedelta
) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end - timedelta(hours=2))
    asked = await upgrade(desk, "BUSINESS")
    assert asked.amount == Money(1, "USD")
    sent_at = desk.now
    desk.at(subscription.period_end + after_its_end)
    await desk.pay(asked, sent_at=sent_at)
    after = await desk.of()
    assert (after.plan.code, after.status, await desk.credit()) == ("BUSINESS", "past_due", 1)
    assert [each.plan.code for each in await paid_periods(desk)] == ["PREMIUM"]
    await refund(desk, asked)
    assert await desk.credit() == 0


async def test_a_change_in_the_last_second_leaves_the_period_without_a_cent(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    desk.at(subscription.period_end - timedelta(seconds=1))
    await desk.do(plan_changes.downgrade, subscription.reference, "PREMIUM", at_once=True)
    (period,) = await paid_periods(desk)
    assert (period.plan.code, await desk.credit()) == ("PREMIUM", 0)
    assert 0 < period.value < 1  # the part of a cent that is still to be served


async def test_a_subscription_that_was_cancelled_at_once_holds_nothing_in_any_period(desk: Till) -> None:
    subscription = await desk.subscribe()
    await desk.pay(await renew(desk))
    desk.later(days=10)
    await desk.do(cancelling.cancel, subscription.reference, at_once=True, reason=None)
    assert [each.value for each in await paid_periods(desk)] == [0, 0]


@pytest.mark.parametrize(
    ("first", "second", "given_back", "days", "earned"),
    [
        # The second period holds 1.00. It fills the first with 0.30, and 0.20 is credit.
        (20, 100, "0.50", 0, 20),  # both parts come from money that the payer paid
        (20, 100, "0.60", 0, 10),  # half of the credit would be the shop's gift
        (20, 100, "0.90", 0, 0),  # the gift reaches into the part that fills the first
        # The first period holds 1.00, and half of it is served. It fills the second with 0.10, and 0.15 is credit.
        (100, 40, "0.25", 15, 15),
        (100, 40, "0.35", 15, 5),
        (100, 40, "0.45", 15, 0),
    ],
)
async def test_a_surplus_that_fills_another_period_and_becomes_credit_gives_the_shop_its_gift_once(
    desk: Till, first: int, second: int, given_back: str, days: int, earned: int
) -> None:
    paid: list[Any] = []
    for price in (first, second):
        terms = PlanTerms(code="FAMILY_PREMIUM", name="Family Premium", price=Money(price, "USD"))
        await desk.do(plans.offer, terms)
        paid.append(await desk.pay(await renew(desk) if paid else await desk.buy("FAMILY_PREMIUM")))
    dear = max(paid, key=lambda payment: payment.amount.minor)
    await desk.do(
        reviews.record_refund, dear.reference, refund_reference="FT1", reverse=False, amount=Decimal(given_back)
    )
    desk.later(days=days)
    reference = (await desk.of()).reference
    if first < PREMIUM:  # the change is an upgrade that costs nothing
        told = (await desk.do(plan_changes.preview_upgrade, reference, "PREMIUM")).moves
        await desk.do(plan_changes.upgrade, reference, "PREMIUM")
    else:
        told = (await desk.do(plan_changes.preview_downgrade, reference, "PREMIUM", at_once=True)).moves
        await desk.do(plan_changes.downgrade, reference, "PREMIUM", at_once=True)
    assert (told.to_credit, await desk.credit()) == (str(Money(earned, "USD")), earned)


async def test_a_gift_that_an_upgrade_frees_goes_back_to_the_shop_also_when_its_money_was_seen_late(desk: Till) -> None:
    await desk.subscribe()
    await desk.do(plans.offer, PlanTerms(code="PREMIUM", name="Premium", price=Money(130, "USD")))
    dear = await desk.pay(await renew(desk))
    await refund(desk, dear, reverse=False)
    asked = await upgrade(desk, "FAMILY_PREMIUM")
    assert asked.amount == Money(20, "USD")  # the first period needs 0.50, and the second has 0.30 too much
    sent_at = desk.now
    desk.later(days=15)
    await desk.pay(asked, sent_at=sent_at)
    assert await places(desk, asked) == {"outside": -20, "credit": 20}  # the first period needs only 0.25 now
    gift = await desk.read(ledger.of_origins, [gift_origin(dear.reference)])
    assert {each.account.kind.value: each.money.minor for each in gift if each.account.kind != "period"} == {
        "gift": -125
    }
    assert await desk.credit() == 20


@pytest.mark.parametrize("prices", [(99,), (98, 101)])
async def test_an_upgrade_of_one_cent_fills_its_periods(desk: Till, prices: tuple[int, ...]) -> None:
    for number, price in enumerate(prices):
        await desk.do(plans.offer, PlanTerms(code="PREMIUM", name="Premium", price=Money(price, "USD")))
        await desk.pay(await renew(desk) if number else await desk.buy())
    asked = await desk.pay(await upgrade(desk, "FAMILY_PREMIUM"))
    assert asked.amount == Money(1, "USD")
    assert [each.value for each in await paid_periods(desk)] == [100] * len(prices)
    assert await desk.credit() == 0


@pytest.mark.parametrize(("days", "earned"), [(15, 25), (20, 16)])  # serves the gift, and 0.17 of the payer's too
async def test_a_gift_that_is_served_leaves_the_payer_what_a_change_frees(desk: Till, days: int, earned: int) -> None:
    bought = await desk.pay(await desk.buy())
    await refund(desk, bought, reverse=False)
    await desk.pay(await upgrade(desk, "FAMILY_PREMIUM"))
    desk.later(days=days)
    reference = (await desk.of()).reference
    told = await desk.do(plan_changes.preview_downgrade, reference, "PREMIUM", at_once=True)
    await desk.do(plan_changes.downgrade, reference, "PREMIUM", at_once=True)
    assert (told.moves.to_credit, await desk.credit()) == (str(Money(earned, "USD")), earned)


async def test_cancelling_at_once_loses_what_is_not_served_and_the_oldest_money_is_served_first(desk: Till) -> None:
    bought = await desk.pay(await desk.buy())
    upgraded = await desk.pay(await upgrade(desk, "FAMILY_PREMIUM"))
    ahead = await desk.pay(await renew(desk))
    reference = (await desk.of()).reference
    desk.later(days=15)
    await desk.do(cancelling.cancel, reference, at_once=True, reason=None)
    (event,) = [each for each in await desk.events(reference) if each.type == "subscription.cancelled"]
    assert (event.data["lost"], event.data["currency"]) == ("1.50", "USD")
    assert await places(desk, bought) == {"outside": -50, "served": 50}
    assert await places(desk, upgraded) == {"outside": -50, "lost": 50}
    assert await places(desk, ahead) == {"outside": -100, "lost": 100}


async def test_less_that_is_accepted_is_not_filled_up_from_credit_that_was_not_set_aside(desk: Till) -> None:
    await give(desk, 20)
    asked = await desk.buy()
    assert (asked.amount.minor, asked.credit_reserved) == (30, 20)
    later = await give(desk, 15)
    await desk.pay(asked, amount=Money(10, "USD"))
    await accept(desk, asked)
    (period,) = await paid_periods(desk)
    assert (period.value, await desk.credit()) == (30, 15)
    found = {each.account.kind.value: each.money.minor for each in await desk.read(ledger.of_origins, [later])}
    assert found == {"gift": -15, "credit": 15}


async def test_more_that_is_accepted_leaves_credit_that_was_set_aside(desk: Till) -> None:
    aside = await give(desk, 20)
    asked = await desk.buy()
    await desk.pay(asked, amount=Money(45, "USD"))
    await accept(desk, asked)
    (period,) = await paid_periods(desk)
    assert (period.value, await desk.credit()) == (50, 15)
    assert await places(desk, asked) == {"outside": -45, "period": 45}
    found = {each.account.kind.value: each.money.minor for each in await desk.read(ledger.of_origins, [aside])}
    assert found == {"gift": -20, "period": 5, "credit": 15}


async def late_credit(desk: Till) -> Any:
    """A payment of 2.00 that came too late to buy what it was made for, so that it is credit."""
    late = await upgrade(desk, "BUSINESS")
    await desk.pay(await renew(desk))  # the quote was made for a shorter time
    await desk.pay(late)
    (item,) = await desk.read(queue.of_payment, late.id, only_open=True)
    await desk.do(reviews.resolve, item.reference, action="credit", actor="operator:dara")
    return late


async def test_an_upgrade_that_refunded_credit_reduced_is_superseded_and_nothing_is_made_instead(desk: Till) -> None:
    await desk.subscribe()
    late = await late_credit(desk)
    assert await desk.credit() == 200
    asked = await upgrade(desk, "BUSINESS")
    assert (asked.amount.minor, asked.credit_reserved) == (200, 200)
    await refund(desk, late)
    assert (await desk.payment(asked)).status == "cancelled"
    for purpose in Purpose:
        assert await desk.read(subscription_payments.open_of, "u1", purpose) is None
    assert (await places(desk, late), await desk.credit()) == ({}, 0)


async def test_a_refund_of_an_upgrade_whose_period_is_over_shortens_the_next_that_it_paid_for_in_part(
    desk: Till,
) -> None:
    subscription = await desk.subscribe()
    asked = await upgrade(desk, "FAMILY_PREMIUM")
    await desk.pay(asked, amount=Money(100, "USD"))
    await accept(desk, asked)
    assert await desk.credit() == 50  # came too much
    renewal = await desk.pay(await renew(desk))
    assert renewal.amount == Money(50, "USD")
    desk.at(subscription.period_end)
    before = await desk.tick()
    assert before.plan.code == "FAMILY_PREMIUM"
    await refund(desk, asked)
    after = await desk.of()
    assert (after.plan.code, after.entitled_until) == ("FAMILY_PREMIUM", desk.now + PERIOD / 2)
    told = await desk.told(after.reference)
    assert (told[-1], "downgraded" in told) == ("shortened", False)


async def test_a_refunded_upgrade_leaves_no_qr_open_that_asks_for_its_plan(desk: Till) -> None:
    await desk.subscribe()
    upgraded = await desk.pay(await upgrade(desk, "FAMILY_PREMIUM"))
    renewal, further = await renew(desk), await upgrade(desk, "BUSINESS")
    await refund(desk, upgraded)
    for each in (renewal, further):
        assert (await desk.payment(each)).status == "cancelled"


async def test_a_refund_that_ends_a_subscription_leaves_no_upgrade_open(desk: Till) -> None:
    bought = await desk.pay(await desk.buy())
    asked = await upgrade(desk, "FAMILY_PREMIUM")
    await refund(desk, bought)
    assert (await desk.of()).status == "expired"
    assert (await desk.payment(asked)).status == "cancelled"


async def test_a_renewal_in_grace_that_refunded_credit_reduced_is_made_again_at_its_price(desk: Till) -> None:
    bought = await desk.buy()
    await desk.pay(bought, amount=Money(70, "USD"))
    await accept(desk, bought)
    desk.at((await desk.of()).period_end)
    assert (await desk.tick()).status == "past_due"
    assert (await renew(desk)).amount == Money(30, "USD")
    await refund(desk, bought, reverse=False)
    again = await desk.read(subscription_payments.open_of, "u1", Purpose.RENEWAL)
    assert (there(again).amount, await desk.credit()) == (Money(50, "USD"), 0)


# Periods are checked at any time


def wrong(connection: Connection, *, now: datetime) -> list[Violation]:
    return list(astray(connection, now=now))


@pytest.mark.parametrize("left", [timedelta(days=20), timedelta(seconds=1)])
async def test_a_period_is_right_for_a_clock_that_is_ahead_or_behind(desk: Till, left: timedelta) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    desk.at(subscription.period_end - left)
    await desk.do(plan_changes.downgrade, subscription.reference, "PREMIUM", at_once=True)
    (period,) = await desk.read(periods.from_number, subscription.id, 1)
    assert await desk.read(ledger.balance, accounts.period(period.id), "USD") == (33 if left.days else 0)
    assert period.value.denominator > 1  # 33 is rounded up, and 0 is rounded down
    for moment in (desk.now - timedelta(days=1), desk.now, desk.now + timedelta(days=1)):
        assert await desk.read(wrong, now=moment) == []
