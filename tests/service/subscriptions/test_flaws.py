"""What went wrong with subscriptions in the service that this one replaces. Here it is right, and stays right."""

from datetime import timedelta
from typing import Any

import anyio
import pytest

from bakong_service.domain.errors import Refused
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Purpose
from bakong_service.operations.ledger import credit
from bakong_service.operations.subscriptions import cancelling, plan_changes, renewing
from bakong_service.storage.payments import payments
from bakong_service.storage.subscriptions import periods, subscription_payments
from bakong_service.workers.boundaries import Boundaries
from kit.till import Till

pytestmark = pytest.mark.anyio

PERIOD = timedelta(days=30)


def worker(desk: Till) -> Boundaries:
    return Boundaries(desk.executor, desk.business, desk.clock)


async def renew(desk: Till, reference: str) -> Any:
    return (await desk.do(renewing.renew, reference, actor="api:test")).payment


async def test_a_returning_customer_gets_what_they_pay_for(desk: Till) -> None:
    first = await desk.subscribe()
    await desk.do(cancelling.cancel, first.reference, at_once=True, reason=None, actor="api:test")
    desk.later(days=45)
    second = await desk.subscribe()
    assert second.reference != first.reference
    assert (second.status, second.entitled_until) == ("active", desk.now + PERIOD)


async def test_a_paid_upgrade_is_applied(desk: Till) -> None:
    subscription = await desk.subscribe()
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    await desk.pay(asked.payment)
    assert (await desk.of()).plan.code == "FAMILY_PREMIUM"


async def test_a_renewal_costs_a_payment_and_a_paid_one_renews(desk: Till) -> None:
    subscription = await desk.subscribe()
    payment = await renew(desk, subscription.reference)
    assert (await desk.of()).entitled_until == subscription.entitled_until
    await desk.pay(payment)
    assert (await desk.of()).entitled_until == subscription.entitled_until + PERIOD


async def test_renewals_asked_for_at_once_are_one_and_each_payment_counts_once(desk: Till) -> None:
    subscription = await desk.subscribe()
    asked = []

    async def ask() -> None:
        asked.append(await renew(desk, subscription.reference))

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(ask)
    assert len({payment.reference for payment in asked}) == 1

    async def pay() -> None:
        await desk.pay(asked[0], tx="f" * 64)

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(pay)
    after = await desk.of()
    assert after.entitled_until == subscription.entitled_until + PERIOD
    assert [period.number for period in await desk.read(periods.from_number, subscription.id, 1)] == [1, 2]


async def test_an_upgrade_of_nothing_makes_no_qr_in_which_the_payer_types_an_amount(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end - timedelta(minutes=5))
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    assert asked.payment is None
    made = await desk.read(payments.page, limit=9, user_id="u1")
    assert all(payment.amount.minor > 0 for payment in made)
    assert (await desk.of()).plan.code == "FAMILY_PREMIUM"


async def test_a_downgrade_makes_the_renewal_cheaper(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    await desk.do(plan_changes.downgrade, subscription.reference, "PREMIUM", at_once=False, actor="api:test")
    assert (await renew(desk, subscription.reference)).amount == Money(50, "USD")


async def test_one_qr_is_open_for_one_purpose_and_the_money_of_the_others_isnt_lost(desk: Till) -> None:
    subscription = await desk.subscribe()
    upgrades = [
        (await desk.do(plan_changes.upgrade, subscription.reference, plan, actor="api:test")).payment
        for plan in ("FAMILY_PREMIUM", "BUSINESS")
    ]
    await desk.pay(upgrades[1])
    assert (await desk.pay(upgrades[0])).status == "review"
    assert (await desk.of()).plan.code == "BUSINESS"


async def test_who_pays_after_sixty_days_buys_days_to_come(desk: Till) -> None:
    first = await desk.subscribe()
    desk.later(days=60)
    with pytest.raises(Refused, match="a payment for a plan starts a new one"):
        await renew(desk, first.reference)
    assert (await desk.subscribe()).entitled_until == desk.now + PERIOD


async def test_events_are_written_with_the_changes_they_tell_of(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end + timedelta(days=4))
    await desk.tick()
    told = {f"subscription.{event}" for event in await desk.told(subscription.reference)}
    written = {line.event_type for line in await desk.history(subscription)}
    assert written <= told == {
        "subscription.activated", "subscription.past_due", "subscription.renewal_failed", "subscription.expired",
    }  # fmt: skip


async def test_a_subscription_expires_though_nobody_looks(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end + timedelta(days=3))
    await worker(desk).step(desk.now)
    assert (await desk.of()).status == "expired"


async def test_two_requests_at_once_dont_spend_the_same_credit(desk: Till) -> None:
    subscription = await desk.subscribe()
    await desk.do(credit.grant, "u1", Money(50, "USD"), reason="goodwill", actor="operator:sokha")

    async def upgrade() -> None:
        await desk.do(plan_changes.upgrade, subscription.reference, "BUSINESS", actor="api:test")

    async def extend() -> None:
        await renew(desk, subscription.reference)

    async with anyio.create_task_group() as group:
        for task in (upgrade, extend, upgrade, extend):
            group.start_soon(task)
    upgrades, renewals = [
        await desk.read(subscription_payments.open_of, "u1", purpose) for purpose in (Purpose.UPGRADE, Purpose.RENEWAL)
    ]
    reserved = sum(each.credit_reserved for each in (upgrades, renewals) if each is not None)
    paid = (await desk.of()).last_paid_period - 1  # a renewal that credit paid for wholly
    assert reserved + 50 * paid + await desk.credit() == 50
