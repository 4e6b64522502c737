"""What a payment for a plan buys, what is on record of it, and when its money can't buy that any more."""

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy import select

from bakong_service.domain.errors import Conflict
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.policy import SubscriptionPolicy
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments import settling
from bakong_service.operations.subscriptions import cancelling, plan_changes, renewing
from bakong_service.storage import schema
from bakong_service.storage.subscriptions import periods
from bakong_service.storage.subscriptions import plan_changes as changes
from kit.business import a_business
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio

GRACE = timedelta(days=3)


async def renewal(desk: Till) -> Payment:
    return there((await desk.do(renewing.renew, (await desk.of()).reference)).payment)


async def upgrade(desk: Till, plan: str = "FAMILY_PREMIUM") -> Payment:
    return there((await desk.do(plan_changes.upgrade, (await desk.of()).reference, plan)).payment)


async def cancel(desk: Till) -> None:
    await desk.do(cancelling.cancel, (await desk.of()).reference, at_once=False, reason=None)


async def time_out(desk: Till, payment: Payment) -> None:
    held = await desk.payment(payment)
    desk.at(held.deadline_at)
    await desk.do(settling.pass_deadline, held)


async def did(desk: Till, payment: Payment) -> tuple[str, str | None, Any, dict[str, Any]]:
    """Return what a payment did, as its effect, the history and the event of its subscription have it."""
    found = schema.effects.c
    query = select(found.kind, found.target).where(found.payment_id == payment.id)
    kind, target = await desk.run(lambda connection: connection.execute(query).one())
    subscription = await desk.of()
    (line, *_), event = await desk.history(subscription), (await desk.events(subscription.reference))[-1]
    facts = dict(there(line.metadata))
    number = facts.pop("transition")
    assert {name: event.data[name] for name in facts} == facts
    return kind, target, number, facts


async def test_each_payment_is_on_record_with_what_it_bought(desk: Till) -> None:
    first = await desk.pay(await desk.buy())
    reference = (await desk.of()).reference
    assert await did(desk, first) == ("activated", reference, "S1", {"payment": first.reference})
    second = await desk.pay(await renewal(desk))
    assert await did(desk, second) == ("renewed", reference, "S2", {"payment": second.reference})
    third = await desk.pay(await renewal(desk))
    assert await did(desk, third) == ("extended", reference, "S3", {"payment": third.reference})
    fourth = await desk.pay(await upgrade(desk))
    asked = {"payment": fourth.reference, "quote": fourth.quote}
    assert await did(desk, fourth) == ("upgraded", reference, "S6", {**asked, "previous_plan": "PREMIUM"})
    sold = await desk.read(periods.from_number, (await desk.of()).id, 1)
    assert [period.payment_id for period in sold] == [first.id, second.id, third.id]


async def test_an_outdated_upgrade_is_on_record_with_its_quote(desk: Till) -> None:
    await desk.subscribe()
    asked = await upgrade(desk)
    await time_out(desk, asked)
    await desk.pay(await renewal(desk))
    paid = await desk.pay(asked, sent_at=asked.created_at)
    assert await did(desk, paid) == ("credited", None, "S7", {"payment": paid.reference, "quote": paid.quote})


async def test_a_renewal_that_is_seen_after_the_expiry_is_on_record_as_seen_late(desk: Till) -> None:
    before = await desk.subscribe()
    desk.at(before.period_end + GRACE - timedelta(minutes=5))
    payment = await renewal(desk)
    desk.later(minutes=10)
    await desk.tick()
    paid = await desk.pay(payment, sent_at=desk.now - timedelta(minutes=7))
    after = await desk.of()
    assert after.id != before.id
    assert await did(desk, paid) == ("activated", after.reference, "S4", {"payment": paid.reference})


async def test_a_change_of_plan_is_stored_under_the_version_that_it_made(desk: Till) -> None:
    await desk.subscribe()
    paid = await desk.pay(await upgrade(desk))
    after = await desk.of()
    assert there(await desk.read(changes.latest, after.id)).payment_id == paid.id
    query = select(schema.plan_changes.c.subscription_version)
    assert await desk.run(lambda connection: connection.execute(query).scalar_one()) == after.version


async def test_nobody_buys_a_third_period_ahead(desk: Till) -> None:
    await desk.subscribe()
    for _ in range(2):
        await desk.pay(await renewal(desk))
    for asked in (desk.buy(), renewal(desk)):
        with pytest.raises(Conflict, match=r"2 periods of .* after the present one are paid already") as refused:
            await asked
        assert refused.value.code == "paid_ahead"


# The clock hasn't recorded yet what is over


async def test_a_user_whose_expiry_is_not_recorded_yet_buys_a_new_subscription(desk: Till) -> None:
    before = await desk.subscribe()
    desk.at(before.period_end + GRACE)
    payment = await desk.buy()
    assert (payment.purpose, payment.subscription) == (Purpose.NEW, None)
    await desk.pay(payment)
    assert (await desk.of()).anchor_at == desk.now


async def test_a_renewal_begins_anew_where_the_expiry_is_not_recorded_yet(desk: Till) -> None:
    before = await desk.subscribe()
    desk.at(before.period_end + GRACE - timedelta(minutes=5))
    payment = await renewal(desk)
    desk.later(minutes=10)
    paid = await desk.pay(payment, sent_at=desk.now - timedelta(minutes=7))
    after = await desk.of()
    assert (after.id != before.id, after.status, after.anchor_at) == (True, "active", paid.paid_at)


async def test_an_upgrade_of_what_is_over_becomes_credit_where_that_is_not_recorded_yet(desk: Till) -> None:
    desk.business = a_business(subscriptions=SubscriptionPolicy(grace=timedelta(0)))
    before = await desk.subscribe()
    desk.at(before.period_end - timedelta(hours=12))
    asked = await upgrade(desk, "BUSINESS")
    await time_out(desk, asked)
    desk.at(before.period_end)
    desk.business = evolve(desk.business, payments=evolve(desk.business.payments, late_accept=timedelta(days=1)))
    paid = await desk.pay(asked, sent_at=asked.created_at)
    assert (paid.status, await desk.credit(), (await desk.of()).status) == ("paid", asked.amount.minor, "expired")


# Money that comes when its purpose is gone waits for a person, and can't be accepted


@pytest.mark.parametrize("ask", [renewal, upgrade])
async def test_money_for_a_cancelled_subscription_is_accepted_only_if_it_is_resumed(desk: Till, ask: Any) -> None:
    before = await desk.subscribe()
    payment = await ask(desk)
    await cancel(desk)
    await desk.pay(payment)
    (item,) = await desk.reviews(payment)
    for moment in (desk.now, before.entitled_until - timedelta(seconds=1)):
        desk.at(moment)
        with pytest.raises(Conflict, match="isn't available any more") as refused:
            await desk.resolve(item, "accept")
        assert refused.value.code == "effect_no_longer_valid"
    await desk.do(cancelling.resume, before.reference)
    assert (await desk.resolve(item, "accept")).status == "paid"
    after = await desk.of()
    assert (after.plan.code, after.last_paid_period) == (payment.plan, 2 if payment.purpose == "renewal" else 1)


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("ask", [renewal, upgrade])
async def test_money_for_a_subscription_that_was_cancelled_and_is_over_is_never_accepted(
    desk: Till, ask: Any, recorded: bool
) -> None:
    before = await desk.subscribe()
    payment = await ask(desk)
    await cancel(desk)
    await desk.pay(payment)
    (item,) = await desk.reviews(payment)
    desk.at(before.entitled_until)
    if recorded:
        assert (await desk.tick()).status == "expired"
    with pytest.raises(Conflict) as refused:
        await desk.resolve(item, "accept")
    assert refused.value.code == "effect_no_longer_valid"
    assert (await desk.resolve(item, "credit")).status == "paid"
    assert await desk.credit() == payment.amount.minor


async def test_money_for_an_upgrade_of_an_expired_subscription_waits_for_a_person(desk: Till) -> None:
    before = await desk.subscribe()
    desk.at(before.period_end - timedelta(hours=12))
    asked = await upgrade(desk, "BUSINESS")
    await time_out(desk, asked)
    desk.business = a_business(subscriptions=SubscriptionPolicy(grace=timedelta(0)))
    desk.at(before.period_end)
    assert (await desk.tick()).status == "expired"
    assert (await desk.pay(asked, sent_at=asked.created_at)).status == "review"
    assert [item.kind for item in await desk.reviews(asked)] == ["no_longer_valid"]


# The user's other open payments


async def test_credit_that_pays_for_a_period_supersedes_the_open_renewal_and_the_open_upgrade(desk: Till) -> None:
    subscription = await desk.subscribe()
    opened = [await renewal(desk), await upgrade(desk)]
    await desk.do(credit.grant, "u1", Money(50, "USD"), reason="goodwill")
    assert (await desk.do(renewing.renew, subscription.reference)).payment is None
    found = [await desk.payment(payment) for payment in opened]
    assert [(payment.status.value, *payment.flags) for payment in found] == [("cancelled", "superseded")] * 2
    assert [(await desk.history(payment))[0].reason for payment in found] == ["superseded"] * 2
    sold = await desk.read(periods.from_number, subscription.id, 2)
    assert [period.payment_id for period in sold] == [None]


@pytest.mark.parametrize("late", [True, False])
async def test_a_subscription_that_begins_anew_supersedes_what_else_would_begin_one(desk: Till, late: bool) -> None:
    before = await desk.subscribe()
    desk.at(before.period_end + GRACE - timedelta(minutes=1))
    opened = [await renewal(desk)]
    desk.later(minutes=1)
    assert (await desk.tick()).status == "expired"
    opened.append(await desk.buy())
    paid, other = opened if late else opened[::-1]
    await desk.pay(paid, sent_at=paid.created_at)
    assert [payment.purpose for payment in opened] == ["renewal", "new"]
    assert (await desk.payment(other)).flags == {"superseded"}
