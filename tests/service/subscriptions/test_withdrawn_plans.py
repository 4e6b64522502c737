"""A plan that is withdrawn from sale: nobody can get it any more, and who has it keeps it."""

from datetime import timedelta
from typing import Any

import pytest

from bakong_service.domain.errors import Conflict, NotFound
from bakong_service.domain.payment import PaymentStatus, Purpose
from bakong_service.domain.subscription import Status
from bakong_service.operations.subscriptions import plan_changes, plans, renewing
from bakong_service.storage import audit
from bakong_service.storage.subscriptions import plans as rows
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio
API = "api:test"


async def withdraw(desk: Till, code: str) -> None:
    await desk.do(plans.withdraw, code, actor=API)


async def change(desk: Till, operation: Any, code: str, **more: Any) -> Any:
    return await desk.do(operation, (await desk.of()).reference, code, **more)


async def test_nobody_can_start_a_withdrawn_plan(desk: Till) -> None:
    await withdraw(desk, "PREMIUM")
    with pytest.raises(Conflict, match=r"PREMIUM is withdrawn from sale; the plans are .*FAMILY_PREMIUM") as refused:
        await desk.buy("PREMIUM")
    assert refused.value.code == "plan_withdrawn"
    assert (await desk.buy("FAMILY_PREMIUM")).status is PaymentStatus.PENDING


async def test_nobody_can_upgrade_or_downgrade_to_a_withdrawn_plan_or_schedule_it(desk: Till) -> None:
    await desk.subscribe("FAMILY_PREMIUM")
    await withdraw(desk, "BUSINESS")
    await withdraw(desk, "PREMIUM")
    for attempt in (
        change(desk, plan_changes.preview_upgrade, "BUSINESS"),
        change(desk, plan_changes.upgrade, "BUSINESS", actor=API),
        change(desk, plan_changes.downgrade, "PREMIUM", at_once=True, actor=API),
        change(desk, plan_changes.downgrade, "PREMIUM", at_once=False, actor=API),
    ):
        with pytest.raises(Conflict, match="is withdrawn from sale"):
            await attempt
    subscription = await desk.of()
    assert (subscription.plan.code, subscription.scheduled_plan) == ("FAMILY_PREMIUM", None)


async def test_who_has_a_withdrawn_plan_keeps_it_and_renews_it(desk: Till) -> None:
    subscription = await desk.subscribe("PREMIUM")
    await withdraw(desk, "PREMIUM")
    renewed = await desk.do(renewing.renew, subscription.reference, actor=API)
    assert renewed.payment is not None
    await desk.pay(renewed.payment)
    again = await desk.buy("PREMIUM")  # the same by the other way
    assert again.purpose is Purpose.RENEWAL
    await desk.pay(again)
    desk.at(subscription.period_end + timedelta(seconds=1))
    after = await desk.tick()
    assert (after.status, after.plan.code, after.periods_ahead) == (Status.ACTIVE, "PREMIUM", 1)


async def test_who_has_a_withdrawn_plan_can_take_a_scheduled_downgrade_back(desk: Till) -> None:
    await desk.subscribe("FAMILY_PREMIUM")
    await change(desk, plan_changes.downgrade, "PREMIUM", at_once=False, actor=API)
    await withdraw(desk, "FAMILY_PREMIUM")
    after = await change(desk, plan_changes.downgrade, "FAMILY_PREMIUM", at_once=False, actor=API)
    assert (after.plan.code, after.scheduled_plan) == ("FAMILY_PREMIUM", None)


async def test_a_qr_and_a_change_of_before_the_withdrawal_are_a_promise(desk: Till) -> None:
    await desk.subscribe("FAMILY_PREMIUM", "u1")
    await change(desk, plan_changes.downgrade, "PREMIUM", at_once=False, actor=API)
    shown = await desk.buy("PREMIUM", "u2")
    await withdraw(desk, "PREMIUM")
    assert (await desk.pay(shown)).status is PaymentStatus.PAID
    assert (await desk.of("u2")).plan.code == "PREMIUM"
    renewed = await desk.do(renewing.renew, (await desk.of()).reference, actor=API)
    assert there(renewed.payment).plan == "PREMIUM"


async def test_a_plan_that_is_offered_again_is_on_sale_again(desk: Till) -> None:
    plan = there(await desk.read(rows.latest, "PREMIUM"))
    desk.later(seconds=1)
    await withdraw(desk, "PREMIUM")
    await withdraw(desk, "PREMIUM")
    assert await desk.read(rows.withdrawn) == {"PREMIUM"}
    desk.later(seconds=1)
    assert await desk.do(plans.offer, plan.terms, actor=API) == plan
    assert await desk.read(rows.withdrawn) == frozenset()
    assert (await desk.buy("PREMIUM")).purpose is Purpose.NEW
    lines = await desk.read(audit.page, limit=2, subject="PREMIUM")
    assert [line.action for line in lines] == ["plan.offered", "plan.withdrawn"]


async def test_a_plan_at_a_new_price_is_on_sale_again(desk: Till) -> None:
    from attrs import evolve

    from bakong_service.domain.money import Money

    plan = there(await desk.read(rows.latest, "PREMIUM"))
    await withdraw(desk, "PREMIUM")
    await desk.do(plans.offer, evolve(plan.terms, price=Money(75, "USD")), actor=API)
    assert await desk.read(rows.withdrawn) == frozenset()


async def test_a_plan_that_the_plans_file_leaves_out_is_withdrawn_and_back_with_its_return(desk: Till) -> None:
    sold = [plan.terms for plan in await desk.read(rows.every_latest)]
    kept = [terms for terms in sold if terms.code != "YEAR"]
    await desk.do(plans.ensure_defaults, kept)
    await desk.do(plans.ensure_defaults, kept)
    assert await desk.read(rows.withdrawn) == {"YEAR"}
    assert [plan.code for plan in await desk.read(rows.on_sale)] == sorted(terms.code for terms in kept)
    await desk.do(plans.ensure_defaults, sold)
    assert await desk.read(rows.withdrawn) == frozenset()


async def test_a_start_without_a_plans_file_puts_nothing_on_sale_again(desk: Till) -> None:
    await withdraw(desk, "PREMIUM")
    await desk.do(plans.ensure_defaults, None)
    assert await desk.read(rows.withdrawn) == {"PREMIUM"}


async def test_a_plan_that_isnt_there_cant_be_withdrawn(desk: Till) -> None:
    with pytest.raises(NotFound, match="no plan GOLD"):
        await withdraw(desk, "GOLD")


async def test_where_nothing_is_on_sale_the_refusal_says_so(desk: Till) -> None:
    for plan in await desk.read(rows.every_latest):
        await withdraw(desk, plan.code)
    with pytest.raises(Conflict, match="no plan is on sale"):
        await desk.buy("PREMIUM")
