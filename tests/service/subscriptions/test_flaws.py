"""What went wrong in the service that this one replaces, each flaw by its number there, so that it stays right here."""

from datetime import timedelta
from typing import Any

import anyio
import pytest

from bakong_service.domain.errors import Refused
from bakong_service.domain.money import Money
from bakong_service.operations import cancelling, credit, plan_changes, renewing
from bakong_service.storage import payments, periods
from bakong_service.workers.renewal import Boundaries

pytestmark = pytest.mark.anyio

PERIOD = timedelta(days=30)


class Clock:
    """A clock that stands where the desk's time is."""

    def __init__(self, desk: Any) -> None:
        self.now = lambda: desk.now


def worker(desk: Any) -> Boundaries:
    return Boundaries(desk.executor, desk.business, Clock(desk))  # type: ignore[arg-type] # a clock of the test's


async def renew(desk: Any, reference: str) -> Any:
    return (await desk.do(renewing.renew, reference, actor="api:test")).payment


async def test_flaw_2_a_returning_customer_gets_what_they_pay_for(desk: Any) -> None:
    first = await desk.subscribe()
    await desk.do(cancelling.cancel, first.reference, at_once=True, reason=None, actor="api:test")
    desk.after(days=45)
    second = await desk.subscribe()
    assert second.reference != first.reference
    assert (second.status, second.entitled_until) == ("active", desk.now + PERIOD)


async def test_flaw_3_a_paid_upgrade_is_applied(desk: Any) -> None:
    subscription = await desk.subscribe()
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    await desk.pay(asked.payment)
    assert (await desk.of()).plan.code == "FAMILY_PREMIUM"


async def test_flaw_4_a_renewal_costs_a_payment_and_a_paid_one_renews(desk: Any) -> None:
    subscription = await desk.subscribe()
    payment = await renew(desk, subscription.reference)
    assert (await desk.of()).entitled_until == subscription.entitled_until
    await desk.pay(payment)
    assert (await desk.of()).entitled_until == subscription.entitled_until + PERIOD


async def test_flaw_5_renewals_asked_for_at_once_are_one_and_each_payment_counts_once(desk: Any) -> None:
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


async def test_flaw_12_an_upgrade_of_nothing_makes_no_qr_in_which_the_payer_types_an_amount(desk: Any) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end - timedelta(minutes=5))
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    assert asked.payment is None
    made = await desk.read(payments.page, limit=9, user_id="u1")
    assert all(payment.amount.minor > 0 for payment in made)
    assert (await desk.of()).plan.code == "FAMILY_PREMIUM"


async def test_flaw_13_a_downgrade_makes_the_renewal_cheaper(desk: Any) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    await desk.do(plan_changes.downgrade, subscription.reference, "PREMIUM", at_once=False, actor="api:test")
    assert (await renew(desk, subscription.reference)).amount == Money(50, "USD")


async def test_flaw_14_one_qr_is_open_for_one_purpose_and_the_money_of_the_others_isnt_lost(desk: Any) -> None:
    subscription = await desk.subscribe()
    upgrades = [
        (await desk.do(plan_changes.upgrade, subscription.reference, plan, actor="api:test")).payment
        for plan in ("FAMILY_PREMIUM", "BUSINESS")
    ]
    await desk.pay(upgrades[1])
    assert (await desk.pay(upgrades[0])).status == "review"
    assert (await desk.of()).plan.code == "BUSINESS"


async def test_flaw_15_who_pays_after_sixty_days_buys_days_to_come(desk: Any) -> None:
    first = await desk.subscribe()
    desk.after(days=60)
    with pytest.raises(Refused, match="a payment for a plan starts a new one"):
        await renew(desk, first.reference)
    assert (await desk.subscribe()).entitled_until == desk.now + PERIOD


async def test_flaw_23_events_are_written_with_the_changes_they_tell_of(desk: Any) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end + timedelta(days=4))
    await desk.tick()
    told = {f"subscription.{event}" for event in await desk.told(subscription.reference)}
    written = {line.event_type for line in await desk.history(subscription)}
    assert written <= told == {
        "subscription.activated", "subscription.past_due", "subscription.renewal_failed", "subscription.expired",
    }  # fmt: skip


async def test_flaw_26_a_subscription_expires_though_nobody_looks(desk: Any) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end + timedelta(days=3))
    await worker(desk).step(desk.now)
    assert (await desk.of()).status == "expired"


async def test_two_requests_at_once_dont_spend_the_same_credit(desk: Any) -> None:
    subscription = await desk.subscribe()
    await desk.do(credit.grant, user_id="u1", amount=Money(50, "USD"), reason="granted", source="rev_1")

    async def upgrade() -> None:
        await desk.do(plan_changes.upgrade, subscription.reference, "BUSINESS", actor="api:test")

    async def extend() -> None:
        await renew(desk, subscription.reference)

    async with anyio.create_task_group() as group:
        for task in (upgrade, extend, upgrade, extend):
            group.start_soon(task)
    assert await desk.credit() >= 0
