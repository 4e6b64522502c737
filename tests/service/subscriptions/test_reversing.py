"""A refund with `reverse` takes back what its payment bought: once, all of it, and nothing that another one bought."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bakong_service.domain.errors import Conflict
from bakong_service.domain.moment import moment
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments import reviews
from bakong_service.operations.payments.settling import pass_deadline
from bakong_service.operations.subscriptions import cancelling, plan_changes, renewing
from bakong_service.storage.checks import invariants
from bakong_service.storage.payments import payments as rows
from bakong_service.storage.subscriptions import periods
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio


async def refund(desk: Till, payment: Payment) -> None:
    await desk.do(reviews.record_refund, payment.reference, refund_reference="FT1", reverse=True, actor="op")


async def renew(desk: Till) -> Any:
    """A renewal, asked for and paid."""
    renewed = await desk.do(renewing.renew, (await desk.of()).reference, actor="api:test")
    return await desk.pay(renewed.payment)


async def upgrade(desk: Till, plan: str = "FAMILY_PREMIUM") -> Any:
    """An upgrade, asked for and paid."""
    asked = await desk.do(plan_changes.upgrade, (await desk.of()).reference, plan, actor="api:test")
    return await desk.pay(asked.payment)


async def give(desk: Till, minor: int) -> None:
    await desk.do(credit.grant, "u1", Money(minor, "USD"), reason="goodwill", actor="operator:sokha")


async def plans_of(desk: Till) -> list[str]:
    """The plans in force, by paid period."""
    return [period.plan.code for period in await desk.read(periods.from_number, (await desk.of()).id, 1)]


async def last_paid(desk: Till) -> int:
    found = await desk.read(lambda c: list(invariants.violations(c, subscription_grace=timedelta(3), now=desk.now)))
    assert [each for each in found if each.invariant in ("I3", "I4", "I5", "I9", "I10", "I11")] == []
    return int((await desk.of()).last_paid_period)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_two_refunds_take_two_periods_in_either_order(desk: Till, order: tuple[int, int]) -> None:
    await desk.subscribe()
    renewals = [await renew(desk), await renew(desk)]
    for left, which in zip((2, 1), order, strict=True):
        await refund(desk, renewals[which])
        assert await last_paid(desk) == left
        after = await desk.of()
        told = (await desk.events(after.reference))[-1]
        assert (told.type, told.data["reason"]) == ("subscription.shortened", "refunded")
        assert told.data["entitled_until"] == moment(after.entitled_until)


async def test_a_period_that_was_sold_again_isnt_lost_with_its_former_payment(desk: Till) -> None:
    await desk.subscribe()
    second, third = await renew(desk), await renew(desk)
    await refund(desk, second)
    fourth = await renew(desk)
    assert await last_paid(desk) == 3
    await refund(desk, third)
    assert await last_paid(desk) == 2
    await refund(desk, fourth)
    assert await last_paid(desk) == 1


async def test_the_next_period_runs_at_once_if_the_present_one_is_refunded(desk: Till) -> None:
    first = await desk.pay(await desk.buy())
    await renew(desk)
    desk.later(days=3)
    await refund(desk, first)
    after = await desk.of()  # nobody has read the subscription, and the clock has done nothing yet
    assert (after.status, after.period_number, after.period_start) == ("active", 2, desk.now)
    assert after.entitled_until == desk.now + timedelta(days=30)


async def test_the_refund_of_all_that_was_paid_ends_it(desk: Till) -> None:
    first = await desk.pay(await desk.buy())
    second = await renew(desk)
    await refund(desk, first)  # the present period ends now, and the next one begins
    assert ((await desk.of()).status, await last_paid(desk)) == ("active", 2)
    assert (await desk.of()).entitled_until == desk.now + timedelta(days=30)
    await refund(desk, second)
    assert ((await desk.of()).status, (await desk.of()).entitled_until) == ("expired", desk.now)


async def test_a_cancelled_subscription_ends_with_its_refund_and_keeps_the_users_reason(desk: Till) -> None:
    paid = await desk.pay(await desk.buy())
    subscription = await desk.of()
    await desk.do(cancelling.cancel, subscription.reference, at_once=False, reason="too dear", actor="api:test")
    desk.later(days=3)
    await refund(desk, paid)
    after = await desk.of()
    assert (after.status, after.cancel_reason, after.entitled_until) == ("expired", "too dear", desk.now)
    assert await desk.told(subscription.reference) == ["activated", "cancelled", "ended"]


async def test_what_is_open_for_days_that_are_taken_is_superseded(desk: Till) -> None:
    first = await desk.pay(await desk.buy())
    second = await renew(desk)
    reference = (await desk.of()).reference
    await give(desk, 40)
    quoted = (await desk.do(plan_changes.upgrade, reference, "FAMILY_PREMIUM", actor="api:test")).payment
    await refund(desk, first)
    assert (await desk.payment(there(quoted))).status == "cancelled"
    asked = (await desk.do(renewing.renew, reference, actor="api:test")).payment
    await refund(desk, second)
    assert (await desk.payment(there(asked))).status == "cancelled"
    assert (await desk.events(reference))[-1].data["credit"] == {"amount": "0.40", "currency": "USD"}


# The credit that was spent on it


async def test_the_credit_of_a_refunded_renewal_stays_in_its_period_with_its_share_of_the_time(desk: Till) -> None:
    before = await desk.subscribe()
    await give(desk, 40)
    renewal = await renew(desk)
    assert (renewal.amount.minor, renewal.credit_reserved, await desk.credit()) == (10, 40, 0)
    await refund(desk, renewal)
    assert (await last_paid(desk), await desk.credit()) == (2, 0)
    assert (await desk.of()).entitled_until == before.period_end + timedelta(days=24)  # 0.40 of 0.50 are left


async def test_the_credit_of_a_refunded_upgrade_is_the_users_again_and_its_event_says_so(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 40)
    await refund(desk, await upgrade(desk))
    assert (await plans_of(desk), await desk.credit()) == (["PREMIUM"], 40)
    assert (await desk.events(subscription.reference))[-1].data["credit"] == {"amount": "0.40", "currency": "USD"}


async def test_credit_that_was_taken_again_for_late_money_stays_in_the_period_of_a_refunded_renewal(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 40)
    asked = there((await desk.do(renewing.renew, subscription.reference, actor="api:test")).payment)
    desk.later(seconds=16 * 60)
    await desk.do(lambda work: pass_deadline(work, there(rows.lock(work.connection, asked.id))))
    assert await desk.credit() == 40
    await refund(desk, await desk.pay(asked, sent_at=asked.created_at))
    assert (await last_paid(desk), await desk.credit()) == (2, 0)
    assert (await desk.of()).entitled_until == subscription.period_end + timedelta(days=24)


async def test_credit_that_was_spent_on_days_that_were_served_stays_spent(desk: Till) -> None:
    await give(desk, 40)
    first = await desk.pay(await desk.buy())
    await renew(desk)
    desk.later(days=31)
    await refund(desk, first)
    assert (await last_paid(desk), await desk.credit()) == (2, 0)


# What a downgrade earned


async def downgrade(desk: Till) -> None:
    await desk.do(plan_changes.downgrade, (await desk.of()).reference, "PREMIUM", at_once=True, actor="api:test")


async def test_what_a_downgrade_earned_of_a_refunded_period_is_not_earned(desk: Till) -> None:
    first = await desk.pay(await desk.buy("FAMILY_PREMIUM"))
    second = await renew(desk)
    desk.later(days=15)
    await downgrade(desk)
    assert await desk.credit() == 25 + 50
    await refund(desk, second)
    assert (await last_paid(desk), await desk.credit()) == (1, 25)
    await refund(desk, first)
    assert await desk.credit() == 0
    assert (await desk.events((await desk.of()).reference))[-1].data["credit"]["amount"] == "0.00"


async def test_what_was_earned_and_spent_stays_spent(desk: Till) -> None:
    first = await desk.pay(await desk.buy("FAMILY_PREMIUM"))
    await downgrade(desk)
    await desk.do(renewing.renew, (await desk.of()).reference, actor="api:test")  # all of it
    await refund(desk, first)
    assert await desk.credit() == 0
    assert (await desk.of()).last_paid_period == 1


async def test_what_was_earned_is_taken_where_the_subscription_was_ended_before_the_refund(desk: Till) -> None:
    first = await desk.pay(await desk.buy("FAMILY_PREMIUM"))
    await downgrade(desk)
    await desk.do(cancelling.cancel, (await desk.of()).reference, at_once=True, reason=None, actor="api:test")
    await refund(desk, first)
    assert await desk.credit() == 0


async def test_what_was_earned_is_taken_though_the_period_that_goes_is_a_cheap_one(desk: Till) -> None:
    dear = await desk.pay(await desk.buy("BUSINESS"))
    await downgrade(desk)
    await desk.do(renewing.renew, (await desk.of()).reference, actor="api:test")  # 0.50 of the 2.00 that were earned
    await refund(desk, dear)
    assert (await last_paid(desk), await desk.credit()) == (1, 0)


async def test_what_was_earned_is_taken_from_the_period_that_it_was_spent_on(desk: Till) -> None:
    dear = await desk.pay(await desk.buy("FAMILY_PREMIUM"))
    await downgrade(desk)
    asked = await desk.do(renewing.renew, (await desk.of()).reference, actor="api:test")
    assert asked.payment is None
    await give(desk, 70)
    desk.later(days=31)
    await refund(desk, dear)
    after = await desk.of()
    assert (after.status, after.entitled_until) == ("expired", desk.now)  # its second period was the refunded money's
    assert (await last_paid(desk), await desk.credit()) == (2, 70)  # other credit is no part of it


async def test_what_other_money_earned_stays_when_a_served_upgrade_is_refunded(desk: Till) -> None:
    subscription = await desk.subscribe()
    upgraded = await upgrade(desk)
    await renew(desk)
    desk.at(subscription.period_end)
    await desk.tick()
    await downgrade(desk)
    await refund(desk, upgraded)
    assert await desk.credit() == 50


async def test_a_refund_that_is_sent_again_takes_nothing_again(desk: Till) -> None:
    before = await desk.subscribe()
    await give(desk, 40)
    renewal = await renew(desk)
    twice = await asyncio.gather(refund(desk, renewal), refund(desk, renewal), return_exceptions=True)
    assert sorted(map(type, twice), key=str) == [type(None), Conflict]
    assert (await last_paid(desk), await desk.credit()) == (2, 0)
    assert (await desk.of()).entitled_until == before.period_end + timedelta(days=24)


async def test_a_change_back_frees_the_money_that_came_first_and_a_refund_takes_the_rest(desk: Till) -> None:
    await desk.subscribe()
    upgraded = await upgrade(desk)
    await downgrade(desk)
    assert await desk.credit() == 50  # of the first payment: what the period holds is the upgrade's
    await refund(desk, upgraded)
    assert (await desk.credit(), (await desk.of()).status) == (50, "expired")


# Upgrades


async def test_a_refund_of_an_upgrade_leaves_a_later_period_what_it_was_bought_as(desk: Till) -> None:
    subscription = await desk.subscribe()
    upgraded = await upgrade(desk)
    assert (await renew(desk)).amount == Money(100, "USD")
    await refund(desk, upgraded)
    after = await desk.of()
    assert (after.plan.code, await plans_of(desk)) == ("PREMIUM", ["PREMIUM", "FAMILY_PREMIUM"])
    assert (await renew(desk)).amount == Money(100, "USD")  # what follows is sold as what was chosen last
    desk.at(subscription.period_end)
    assert ((await desk.tick()).plan.code, (await desk.of()).scheduled_plan) == ("FAMILY_PREMIUM", None)


async def test_a_refund_of_an_upgrade_of_several_periods_takes_it_from_all_of_them(desk: Till) -> None:
    await desk.subscribe()
    await renew(desk)
    upgraded = await upgrade(desk)
    await renew(desk)
    await refund(desk, upgraded)
    assert await plans_of(desk) == ["PREMIUM", "PREMIUM", "FAMILY_PREMIUM"]


async def test_a_refund_of_an_upgrade_whose_period_is_served_takes_nothing(desk: Till) -> None:
    subscription = await desk.subscribe()
    upgraded = await upgrade(desk)
    await renew(desk)
    desk.at(subscription.period_end + timedelta(days=9))
    await refund(desk, upgraded)
    assert ((await desk.of()).plan.code, await plans_of(desk)) == ("FAMILY_PREMIUM", ["FAMILY_PREMIUM"] * 2)
    assert await desk.told(subscription.reference) == ["activated", "upgraded", "renewed"]


async def test_a_refund_of_an_upgrade_shortens_a_later_period_that_the_rest_of_its_money_bought(desk: Till) -> None:
    subscription = await desk.subscribe()
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    upgraded = await desk.pay(asked.payment, amount=Money(80, "USD"))
    [item] = await desk.reviews(upgraded)
    await desk.resolve(item, "accept")
    assert (await renew(desk)).amount == Money(70, "USD")
    desk.at(subscription.period_end)
    await refund(desk, upgraded)
    after = await desk.of()
    assert (after.plan.code, after.entitled_until) == ("FAMILY_PREMIUM", desk.now + timedelta(days=21))
    assert await desk.told(subscription.reference) == ["activated", "upgraded", "renewed", "shortened"]


async def test_a_refunded_upgrade_brings_the_former_plan_back_though_another_user_changed_theirs(desk: Till) -> None:
    await desk.subscribe()
    upgraded = await upgrade(desk)
    other = await desk.subscribe(user="u2")
    await desk.pay((await desk.do(renewing.renew, other.reference)).payment)
    await desk.pay((await desk.do(plan_changes.upgrade, other.reference, "FAMILY_PREMIUM")).payment)
    await refund(desk, upgraded)
    assert [(await desk.of(user)).plan.code for user in ("u1", "u2")] == ["PREMIUM", "FAMILY_PREMIUM"]
    assert await plans_of(desk) == ["PREMIUM"]


async def test_the_events_of_reversed_refunds_say_why_and_for_which_payment(desk: Till) -> None:
    first = await desk.pay(await desk.buy())
    upgraded = await upgrade(desk)
    reference = (await desk.of()).reference
    before = len(await desk.events(reference))
    await refund(desk, upgraded)
    await desk.refund(first, reverse=True, amount=Decimal("0.10"))
    await desk.refund(first, reverse=True)
    events = (await desk.events(reference))[before:]
    assert [(each.type, each.data["reason"], each.data["payment"]) for each in events[:-1]] == [
        ("subscription.downgraded", "refunded", upgraded.reference),
        ("subscription.shortened", "refunded", first.reference),
        ("subscription.cancelled", "refunded", first.reference),
    ]
    assert events[0].data["previous_plan"] == "FAMILY_PREMIUM"
    assert events[-1].type == "subscription.ended"
    assert (await desk.of()).cancel_reason == "refunded"


async def test_a_dear_period_that_moved_up_for_a_refunded_one_stays_dear(desk: Till) -> None:
    first = await desk.pay(await desk.buy())
    upgraded = await upgrade(desk)
    await renew(desk)
    await refund(desk, first)
    assert (await desk.of()).entitled_until == desk.now + timedelta(days=45)  # half of the present period is left
    await refund(desk, upgraded)
    after = await desk.of()
    assert (after.plan.code, after.entitled_until) == ("FAMILY_PREMIUM", desk.now + timedelta(days=30))
    await downgrade(desk)
    assert await desk.credit() == 50
