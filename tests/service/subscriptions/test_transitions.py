"""Each row of the table on a real database: what it changes, what it writes, what it tells."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy.exc import IntegrityError

from bakong_service.domain.errors import Conflict
from bakong_service.domain.ledger import OUTSIDE
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, PaymentStatus, Purpose
from bakong_service.domain.plan import PlanTerms
from bakong_service.domain.policy import SubscriptionPolicy
from bakong_service.domain.purchase import Incoming
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments import issuing
from bakong_service.operations.subscriptions import cancelling, plan_changes, plans, renewing, selling
from bakong_service.operations.subscriptions.purchases import effect_still_valid
from bakong_service.operations.subscriptions.recording import Cause
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.resources import plain
from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.storage.payments import payments
from bakong_service.storage.subscriptions import periods, subscriptions
from bakong_service.storage.subscriptions import plan_changes as changes
from kit.business import a_business
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio

PERIOD = timedelta(seconds=2_592_000)
GRACE = timedelta(days=3)
REFUSED_BY_THE_KEY = (IntegrityError, DatabaseUnavailable)
"""What SQLite raises, and what PostgreSQL's executor raises after it has tried again."""


async def renewal(desk: Till, reference: str) -> Any:
    return (await desk.do(renewing.renew, reference, actor="api:test")).payment


async def upgrade(desk: Till, reference: str, plan: str = "FAMILY_PREMIUM") -> Any:
    return await desk.do(plan_changes.upgrade, reference, plan, actor="api:test")


async def downgrade(desk: Till, reference: str, plan: str, *, at_once: bool = False) -> Any:
    return await desk.do(plan_changes.downgrade, reference, plan, at_once=at_once, actor="api:test")


async def cancel(desk: Till, reference: str, *, at_once: bool = False, reason: str | None = None) -> Any:
    return await desk.do(cancelling.cancel, reference, at_once=at_once, reason=reason, actor="api:test")


async def reread(desk: Till, payment: Payment) -> Any:
    return await desk.read(payments.by_reference, payment.reference)


# S1


async def test_a_new_subscription_is_active_for_thirty_days_from_the_payers_time(desk: Till) -> None:
    payment = await desk.buy()
    sent_at = desk.now + timedelta(seconds=40)
    desk.later(seconds=95)
    await desk.pay(payment, sent_at=sent_at)
    subscription = await desk.of()
    assert (subscription.status, subscription.anchor_at) == ("active", sent_at)
    assert subscription.entitled_until == sent_at + PERIOD
    assert await desk.told(subscription.reference) == ["activated"]


async def test_the_events_of_an_activation_stand_with_it(desk: Till) -> None:
    payment = await desk.pay(await desk.buy())
    subscription = await desk.of()
    assert await desk.told(payment.reference) == ["created", "paid"]
    (activated,) = await desk.events(subscription.reference)
    assert activated.data["payment"] == payment.reference
    assert (activated.data["status"], activated.data["plan"], activated.previous_status) == ("active", "PREMIUM", None)
    assert activated.data["entitled_until"].startswith("2026-01-31T09:30:15.250")


async def test_a_subscription_in_riel_is_sold_like_one_in_dollars(desk: Till) -> None:
    payment = await desk.buy("BASIC_KHR")
    assert (payment.amount, payment.purpose) == (Money(2000, "KHR"), Purpose.NEW)
    await desk.pay(payment)
    assert (await desk.of()).plan.price == Money(2000, "KHR")


async def test_a_newer_new_payment_is_superseded_when_the_older_one_turns_out_to_be_paid(desk: Till) -> None:
    older = await desk.buy()
    desk.later(seconds=16 * 60)
    await desk.do(lambda work: _time_out(work, older.id))
    newer = await desk.buy()
    await desk.pay(older, sent_at=older.created_at + timedelta(minutes=5))
    assert (await desk.of()).anchor_at == older.created_at + timedelta(minutes=5)
    assert (await reread(desk, newer)).status == "cancelled"


def _time_out(work: UnitOfWork, payment_id: int) -> None:
    from bakong_service.operations.payments.settling import pass_deadline

    pass_deadline(work, there(payments.lock(work.connection, payment_id)))


# S2 and S3


async def test_a_renewal_adds_exactly_thirty_days_to_the_old_boundary(desk: Till) -> None:
    before = await desk.subscribe()
    desk.later(days=20)
    await desk.pay(await renewal(desk, before.reference))
    after = await desk.of()
    assert after.entitled_until == before.entitled_until + PERIOD
    assert (after.period_number, after.period_end) == (1, before.period_end)
    assert await desk.told(before.reference) == ["activated", "renewed"]


async def test_a_renewal_in_the_grace_begins_at_the_old_boundary(desk: Till) -> None:
    before = await desk.subscribe()
    desk.later(days=31, seconds=7)
    assert (await desk.tick()).status == "past_due"
    await desk.pay(await renewal(desk, before.reference))
    after = await desk.of()
    assert (after.status, after.period_number) == ("active", 2)
    assert after.entitled_until == before.anchor_at + 2 * PERIOD
    assert await desk.told(before.reference) == ["activated", "past_due", "renewed"]


async def test_the_next_period_begins_at_its_boundary(desk: Till) -> None:
    before = await desk.subscribe()
    await desk.pay(await renewal(desk, before.reference))
    desk.at(before.period_end)
    after = await desk.tick()
    assert (after.status, after.period_number, after.period_end) == ("active", 2, before.period_end + PERIOD)
    assert await desk.told(before.reference) == ["activated", "renewed"]


async def test_a_second_renewal_pays_one_more_period_ahead(desk: Till) -> None:
    before = await desk.subscribe()
    for _ in range(2):
        await desk.pay(await renewal(desk, before.reference))
    after = await desk.of()
    assert after.flags == {"prepaid"}
    assert after.entitled_until == before.anchor_at + 3 * PERIOD
    with pytest.raises(Exception, match=r"2 periods of .* after the present one are paid already"):
        await renewal(desk, before.reference)
    desk.at(before.period_end)
    assert (await desk.tick()).flags == frozenset()


async def test_money_for_a_third_period_ahead_goes_to_a_person(desk: Till) -> None:
    subscription = await desk.subscribe()
    await desk.pay(await renewal(desk, subscription.reference))
    third = await renewal(desk, subscription.reference)
    desk.later(seconds=16 * 60)  # it times out; its money isn't seen before another one's
    await desk.do(lambda work: _time_out(work, third.id))
    await desk.pay(await renewal(desk, subscription.reference))
    paid = await desk.pay(third, sent_at=third.created_at + timedelta(minutes=1))
    assert paid.status == "review"
    assert (await desk.of()).last_paid_period == 3


# S4


async def test_a_renewal_paid_after_the_expiry_starts_anew_at_the_payers_time(desk: Till) -> None:
    before = await desk.subscribe()
    desk.at(before.period_end + GRACE - timedelta(minutes=5))
    payment = await renewal(desk, before.reference)
    desk.later(seconds=10 * 60)
    await desk.tick()
    sent_at = desk.now - timedelta(minutes=7)  # still in the grace
    await desk.pay(payment, sent_at=sent_at)
    after = await desk.of()
    assert after.reference != before.reference
    assert (after.status, after.anchor_at, after.entitled_until) == ("active", sent_at, sent_at + PERIOD)
    assert await desk.told(after.reference) == ["activated"]


async def test_no_day_is_sold_twice_when_a_renewal_is_seen_after_a_boundary_without_grace(desk: Till) -> None:
    desk.business = a_business(subscriptions=SubscriptionPolicy(grace=timedelta(0)))
    before = await desk.subscribe()
    desk.at(before.period_end - timedelta(seconds=30))
    payment = await renewal(desk, before.reference)
    sent_at = desk.now + timedelta(seconds=10)
    desk.later(seconds=60)
    assert (await desk.tick()).status == "expired"
    await desk.pay(payment, sent_at=sent_at)
    assert (await desk.of()).anchor_at == before.period_end


# S5 to S8


async def test_an_upgrade_costs_the_difference_for_the_remaining_seconds(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.later(days=15)
    asked = await upgrade(desk, subscription.reference)
    assert (asked.quote.amount, asked.quote.remaining_seconds) == ("0.25", 15 * 86_400)
    assert (asked.payment.amount, asked.payment.purpose) == (Money(25, "USD"), Purpose.UPGRADE)
    assert asked.payment.reference != subscription.reference


async def test_an_upgrade_counts_as_soon_as_it_is_paid(desk: Till) -> None:
    subscription = await desk.subscribe()
    asked = await upgrade(desk, subscription.reference)
    assert (await desk.of()).plan.code == "PREMIUM"
    await desk.pay(asked.payment)
    after = await desk.of()
    assert (after.plan.code, after.entitled_until) == ("FAMILY_PREMIUM", subscription.entitled_until)
    (_, upgraded) = await desk.events(subscription.reference)
    assert (upgraded.type, upgraded.data["previous_plan"]) == ("subscription.upgraded", "PREMIUM")


async def test_an_upgrade_covers_the_periods_that_are_paid_ahead(desk: Till) -> None:
    subscription = await desk.subscribe()
    await desk.pay(await renewal(desk, subscription.reference))
    desk.later(days=15)
    asked = await upgrade(desk, subscription.reference)
    assert asked.quote.amount == "0.75"
    await desk.pay(asked.payment)
    desk.at(subscription.period_end)
    assert (await desk.tick()).plan.code == "FAMILY_PREMIUM"


async def test_a_second_quote_supersedes_the_first(desk: Till) -> None:
    subscription = await desk.subscribe()
    first = await upgrade(desk, subscription.reference)
    second = await upgrade(desk, subscription.reference, "BUSINESS")
    assert (await reread(desk, first.payment)).flags == {"superseded"}
    await desk.pay(second.payment)
    assert (await desk.of()).plan.code == "BUSINESS"


async def test_an_upgrade_supersedes_the_open_renewal(desk: Till) -> None:
    subscription = await desk.subscribe()
    open_renewal = await renewal(desk, subscription.reference)
    await desk.pay((await upgrade(desk, subscription.reference)).payment)
    assert (await reread(desk, open_renewal)).status == PaymentStatus.CANCELLED
    assert (await renewal(desk, subscription.reference)).amount == Money(100, "USD")


async def test_an_upgrade_paid_after_the_paid_time_changed_becomes_credit(desk: Till) -> None:
    subscription = await desk.subscribe()
    open_renewal = await renewal(desk, subscription.reference)
    desk.later(seconds=16 * 60)
    await desk.do(lambda work: _time_out(work, open_renewal.id))
    asked = await upgrade(desk, subscription.reference)
    desk.later(seconds=16 * 60)
    await desk.do(lambda work: _time_out(work, asked.payment.id))
    await desk.pay(open_renewal, sent_at=open_renewal.created_at + timedelta(minutes=1))
    paid = await desk.pay(asked.payment, sent_at=asked.payment.created_at + timedelta(minutes=1))
    after = await desk.of()
    assert (paid.status, after.plan.code, after.last_paid_period) == ("paid", "PREMIUM", 2)
    assert await desk.credit() == asked.payment.amount.minor
    assert await desk.told(subscription.reference) == ["activated", "renewed", "upgrade_credited"]


async def test_an_upgrade_with_nothing_to_charge_needs_no_qr(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end - timedelta(minutes=5))
    asked = await upgrade(desk, subscription.reference)
    assert (asked.payment, asked.quote.amount) == (None, "0.00")
    assert asked.subscription.plan.code == "FAMILY_PREMIUM"
    change = there(await desk.read(changes.latest, subscription.id))
    assert (change.payment_id, [each.plan for each in change.before], change.at) == (None, ["PREMIUM"], desk.now)
    assert (await desk.told(subscription.reference))[-1] == "upgraded"


async def test_a_second_quote_spends_the_credit_that_was_set_aside_for_the_first(desk: Till) -> None:
    subscription = await desk.subscribe()
    await desk.do(credit.grant, "u1", Money(20, "USD"), reason="goodwill")
    for _ in range(2):
        asked = await upgrade(desk, subscription.reference)
        assert (asked.quote.amount, asked.quote.credit) == ("0.30", "0.20")
        assert asked.payment.credit_reserved == 20
    assert await desk.credit() == 0


async def test_an_upgrade_that_frees_value_has_a_proration_of_zero(desk: Till) -> None:
    subscription = await desk.subscribe()
    await desk.do(plans.offer, PlanTerms(code="PREMIUM", name="Premium", price=Money(200, "USD")))
    await desk.pay(await renewal(desk, subscription.reference))
    asked = await upgrade(desk, subscription.reference)  # needs 2.00, and 2.50 are there
    assert (asked.payment, asked.quote.proration, asked.quote.amount) == (None, "0.00", "0.00")
    assert await desk.credit() == 50


async def test_a_preview_stores_nothing(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.later(days=10)
    quote = await desk.do(plan_changes.preview_upgrade, subscription.reference, "FAMILY_PREMIUM")
    assert (quote.amount, quote.moves.from_payment) == ("0.34", "0.34")  # 0.67 are needed, 0.33 are there
    assert plain(quote.moves)["periods"] == [{"period": 1, "amount": "0.34"}]
    assert await desk.of() == subscription
    assert await desk.read(payments.page, limit=9, user_id="u1", status=PaymentStatus.PENDING) == []


# S9 and S10


async def test_a_downgrade_waits_for_the_next_period(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    after = await downgrade(desk, subscription.reference, "PREMIUM")
    assert (after.plan.code, after.scheduled_plan.code) == ("FAMILY_PREMIUM", "PREMIUM")
    payment = await renewal(desk, subscription.reference)
    assert payment.amount == Money(50, "USD")
    await desk.pay(payment)
    assert (await desk.of()).plan.code == "FAMILY_PREMIUM"
    desk.at(subscription.period_end)
    rolled = await desk.tick()
    assert (rolled.plan.code, rolled.scheduled_plan, rolled.status) == ("PREMIUM", None, "active")
    told = await desk.told(subscription.reference)
    assert told == ["activated", "downgrade_scheduled", "renewed", "downgraded"]


async def test_a_scheduled_downgrade_brings_the_open_renewal_at_the_new_price(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    dear = await renewal(desk, subscription.reference)
    await downgrade(desk, subscription.reference, "PREMIUM")
    assert (await reread(desk, dear)).flags == {"superseded"}
    (cheap,) = await desk.read(payments.page, limit=9, user_id="u1", status=PaymentStatus.PENDING)
    assert (cheap.amount, cheap.plan, cheap.purpose) == (Money(50, "USD"), "PREMIUM", Purpose.RENEWAL)


async def test_a_scheduled_downgrade_makes_no_renewal_that_nobody_asked_for(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    await downgrade(desk, subscription.reference, "PREMIUM")
    assert await desk.read(payments.page, limit=9, user_id="u1", status=PaymentStatus.PENDING) == []


async def test_a_scheduled_downgrade_can_be_taken_back(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    await downgrade(desk, subscription.reference, "PREMIUM")
    after = await downgrade(desk, subscription.reference, "FAMILY_PREMIUM")
    assert after.scheduled_plan is None
    assert (await renewal(desk, subscription.reference)).amount == Money(100, "USD")


async def test_a_scheduled_downgrade_that_is_paid_for_stays(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    await downgrade(desk, subscription.reference, "PREMIUM")
    await desk.pay(await renewal(desk, subscription.reference))
    for plan, at_once in (("FAMILY_PREMIUM", False), ("PREMIUM", True)):
        with pytest.raises(Conflict, match="is paid already, for another plan") as refused:
            await downgrade(desk, subscription.reference, plan, at_once=at_once)
        assert refused.value.code == "already_paid"


async def test_one_more_downgrade_can_be_scheduled_after_a_paid_one(desk: Till) -> None:
    subscription = await desk.subscribe("BUSINESS")
    await downgrade(desk, subscription.reference, "FAMILY_PREMIUM")
    await desk.pay(await renewal(desk, subscription.reference))
    after = await downgrade(desk, subscription.reference, "PREMIUM")
    assert (after.plan.code, after.scheduled_plan.code) == ("BUSINESS", "PREMIUM")
    assert (await renewal(desk, subscription.reference)).amount == Money(50, "USD")
    assert [each.plan.code for each in await desk.read(periods.from_number, subscription.id, 1)] == [
        "BUSINESS", "FAMILY_PREMIUM",
    ]  # fmt: skip


async def test_a_change_at_once_to_the_present_plan_is_refused_also_while_another_is_scheduled(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    await downgrade(desk, subscription.reference, "PREMIUM")
    with pytest.raises(Conflict) as refused:
        await downgrade(desk, subscription.reference, "FAMILY_PREMIUM", at_once=True)
    assert refused.value.code == "same_plan"
    assert there((await desk.of()).scheduled_plan).code == "PREMIUM"


async def test_a_downgrade_now_earns_credit_for_the_remaining_seconds(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    desk.later(days=10, seconds=1)
    after = await downgrade(desk, subscription.reference, "PREMIUM", at_once=True)
    assert (after.plan.code, after.entitled_until) == ("PREMIUM", subscription.entitled_until)
    assert await desk.credit() == 34  # 0.67 are held for 20 days less a second, and 0.33 are needed
    (before,) = there(await desk.read(changes.latest, subscription.id)).before
    assert (before.plan, before.value) == ("FAMILY_PREMIUM", Fraction(100 * (20 * 86_400 - 1), 30 * 86_400))
    (_, downgraded) = await desk.events(subscription.reference)
    assert (downgraded.type, downgraded.data["earned"]) == ("subscription.downgraded", "0.34")


async def test_a_downgrade_now_supersedes_the_open_upgrade_and_returns_its_credit(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    await desk.do(credit.grant, "u1", Money(20, "USD"), reason="goodwill")
    asked = (await upgrade(desk, subscription.reference, "BUSINESS")).payment
    assert await desk.credit() == 0
    await downgrade(desk, subscription.reference, "PREMIUM", at_once=True)
    assert (await reread(desk, asked)).flags == {"superseded"}
    assert await desk.credit() == 20 + 50


async def test_a_downgrade_now_in_the_last_second_earns_nothing(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    desk.at(subscription.period_end - timedelta(seconds=1))
    after = await downgrade(desk, subscription.reference, "PREMIUM", at_once=True)
    assert (after.plan.code, await desk.credit()) == ("PREMIUM", 0)


# S11, S12 and S16


async def test_a_cancelled_subscription_lasts_until_its_end(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.later(days=3)
    after = await cancel(desk, subscription.reference, reason="too dear")
    assert (after.status, after.cancelled_at, after.cancel_reason) == ("cancelled", desk.now, "too dear")
    assert after.entitled_until == subscription.entitled_until
    desk.at(subscription.entitled_until)
    assert (await desk.tick()).status == "expired"
    assert await desk.told(subscription.reference) == ["activated", "cancelled", "ended"]


async def test_cancelling_now_ends_now(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.later(days=3)
    after = await cancel(desk, subscription.reference, at_once=True)
    assert (after.status, after.entitled_until) == ("expired", desk.now)
    assert await desk.told(subscription.reference) == ["activated", "cancelled", "ended"]


async def test_cancelling_in_the_grace_ends_now(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.later(days=31)
    after = await cancel(desk, subscription.reference)
    assert (after.status, after.entitled_until) == ("expired", desk.now)


async def test_cancelling_keeps_what_is_paid_ahead(desk: Till) -> None:
    subscription = await desk.subscribe()
    await desk.pay(await renewal(desk, subscription.reference))
    after = await cancel(desk, subscription.reference)
    assert after.entitled_until == subscription.anchor_at + 2 * PERIOD


async def test_what_is_paid_ahead_begins_though_it_is_cancelled(desk: Till) -> None:
    subscription = await desk.subscribe()
    await desk.pay(await renewal(desk, subscription.reference))
    await cancel(desk, subscription.reference)
    desk.at(subscription.period_end)
    begun = await desk.tick()
    assert (begun.status, begun.period_number, begun.period_end) == ("cancelled", 2, subscription.period_end + PERIOD)
    desk.at(begun.period_end)
    assert (await desk.tick()).status == "expired"
    assert await desk.told(subscription.reference) == ["activated", "renewed", "cancelled", "ended"]


async def test_cancelling_cancels_the_open_qrs_and_their_money_goes_to_a_person(desk: Till) -> None:
    subscription = await desk.subscribe()
    open_payments = [
        await renewal(desk, subscription.reference),
        (await upgrade(desk, subscription.reference)).payment,
    ]
    await cancel(desk, subscription.reference)
    for payment in open_payments:
        assert (await reread(desk, payment)).status == "cancelled"
        assert (await desk.pay(payment)).status == "review"
    assert (await desk.of()).status == "cancelled"


async def test_resuming_is_as_if_it_was_never_cancelled(desk: Till) -> None:
    subscription = await desk.subscribe()
    await cancel(desk, subscription.reference, reason="oops")
    after = await desk.do(cancelling.resume, subscription.reference, actor="api:test")
    assert (after.status, after.cancelled_at, after.cancel_reason) == ("active", None, None)
    assert after.entitled_until == subscription.entitled_until
    assert (after.next_action, after.next_action_at) == (subscription.next_action, subscription.next_action_at)
    assert await desk.told(subscription.reference) == ["activated", "cancelled", "resumed"]


async def test_who_comes_back_after_cancelling_now_doesnt_wait_for_the_old_end(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.later(days=3)
    await cancel(desk, subscription.reference, at_once=True)
    desk.later(days=1)
    assert (await desk.subscribe()).anchor_at == desk.now


# S13 to S15


async def test_an_unpaid_boundary_is_past_due_and_then_expired(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end)
    past_due = await desk.tick()
    assert (past_due.status, past_due.entitled_until) == ("past_due", subscription.period_end + GRACE)
    desk.at(subscription.period_end + GRACE)
    expired = await desk.tick()
    assert (expired.status, expired.entitled_until) == ("expired", subscription.period_end + GRACE)
    told = ["activated", "past_due", "renewal_failed", "expired"]
    assert await desk.told(subscription.reference) == told


async def test_without_a_grace_an_unpaid_boundary_expires(desk: Till) -> None:
    desk.business = a_business(subscriptions=SubscriptionPolicy(grace=timedelta(0)))
    subscription = await desk.subscribe()
    desk.at(subscription.period_end)
    expired = await desk.tick()
    assert (expired.status, expired.entitled_until) == ("expired", subscription.period_end)
    assert await desk.told(subscription.reference) == ["activated", "renewal_failed", "expired"]


async def test_a_failed_renewal_is_in_the_audit(desk: Till) -> None:
    from bakong_service.storage import audit

    subscription = await desk.subscribe()
    desk.at(subscription.period_end + GRACE)
    await desk.tick()
    lines = await desk.read(audit.page, limit=9, subject=subscription.reference)
    assert [(line.action, line.actor) for line in lines] == [("subscription.renewal_failed", "system:clock")]


async def test_an_upgrade_that_is_open_when_the_grace_ends_is_superseded(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end - timedelta(hours=20))
    asked = await upgrade(desk, subscription.reference)
    desk.at(subscription.period_end + GRACE)
    await desk.tick()
    assert (await reread(desk, asked.payment)).status == "cancelled"


async def test_renewal_due_is_told_seven_three_and_one_days_before(desk: Till) -> None:
    subscription = await desk.subscribe()
    for days in (7, 3, 1):
        desk.at(subscription.period_end - timedelta(days=days) - timedelta(seconds=1))
        await desk.tick()
        desk.later(seconds=1)
        await desk.tick()
        await desk.tick()
    events = (await desk.events(subscription.reference))[1:]
    assert [(event.type, event.data["days_left"]) for event in events] == [
        ("subscription.renewal_due", 7), ("subscription.renewal_due", 3), ("subscription.renewal_due", 1),
    ]  # fmt: skip
    assert (await desk.of()).version == 1


async def test_of_missed_reminders_only_the_last_is_told(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end - timedelta(days=2))
    await desk.tick()
    (_, due) = await desk.events(subscription.reference)
    assert (due.type, due.data["days_left"]) == ("subscription.renewal_due", 3)


async def test_who_paid_ahead_isnt_reminded(desk: Till) -> None:
    subscription = await desk.subscribe()
    await desk.pay(await renewal(desk, subscription.reference))
    desk.at(subscription.period_end - timedelta(days=1))
    await desk.tick()
    assert await desk.told(subscription.reference) == ["activated", "renewed"]


async def test_the_renewal_is_made_once_a_period_when_somebody_first_looks(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end - timedelta(days=7, seconds=1))
    await desk.do(renewing.look_at, subscription.id)
    desk.later(seconds=1)
    for _ in range(3):
        await desk.do(renewing.look_at, subscription.id)
        desk.later(days=1)
    made = await desk.read(payments.page, limit=9, user_id="u1")
    assert [payment.purpose for payment in made] == [Purpose.RENEWAL, Purpose.NEW]


async def test_a_renewal_that_is_still_good_is_shown_again(desk: Till) -> None:
    subscription = await desk.subscribe()
    first = await renewal(desk, subscription.reference)
    desk.later(seconds=299)
    assert (await renewal(desk, subscription.reference)).reference == first.reference
    desk.later(seconds=2)
    assert (await renewal(desk, subscription.reference)).reference != first.reference


async def test_a_renewal_is_asked_for_at_the_newest_price(desk: Till) -> None:
    subscription = await desk.subscribe()
    old = await renewal(desk, subscription.reference)
    terms = subscription.plan.terms
    dearer = type(terms)(code=terms.code, name=terms.name, price=Money(60, "USD"))
    await desk.do(plans.offer, dearer, actor="api:test")
    new = await renewal(desk, subscription.reference)
    assert (old.amount.minor, new.amount.minor) == (50, 60)
    await desk.pay(new)
    rows = await desk.read(periods.from_number, subscription.id, 1)
    assert [(row.plan.version, row.plan.price.minor) for row in rows] == [(1, 50), (2, 60)]


# What holds for all


async def test_every_change_has_its_line_of_history_with_reason_and_actor(desk: Till) -> None:
    subscription = await desk.subscribe()
    await desk.pay((await upgrade(desk, subscription.reference)).payment)
    await downgrade(desk, subscription.reference, "PREMIUM")
    await cancel(desk, subscription.reference, reason="moving away")
    desk.at(subscription.period_end)
    await desk.tick()
    lines = (await desk.history(subscription))[::-1]
    assert [line.version for line in lines] == [1, 2, 3, 4, 5]
    told = [
        (line.old_status, line.new_status, line.reason, line.actor, there(line.metadata)["transition"])
        for line in lines
    ]
    assert told == [
        (None, "active", "paid", "system:watcher", "S1"),
        ("active", "active", "paid", "system:watcher", "S6"),
        ("active", "active", "downgrade_scheduled", "api:test", "S9"),
        ("active", "cancelled", "moving away", "api:test", "S11"),
        ("cancelled", "expired", "end_reached", "system:clock", "S16"),
    ]  # fmt: skip


async def test_a_change_that_nobody_pays_is_told_with_its_reason_and_what_it_moved(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    await downgrade(desk, subscription.reference, "PREMIUM", at_once=True)
    await desk.do(credit.grant, "u1", Money(50, "USD"), reason="goodwill")
    asked = await upgrade(desk, subscription.reference)
    facts: list[tuple[str, dict[str, Any]]] = [
        ("nothing_to_charge", {"quote": plain(asked.quote), "previous_plan": "PREMIUM"}),
        (
            "downgraded",
            {
                "earned": "0.50", "currency": "USD", "from_plan": "FAMILY_PREMIUM", "to_plan": "PREMIUM",
                "previous_plan": "FAMILY_PREMIUM",
            },
        ),
    ]  # fmt: skip
    lines, events = await desk.history(subscription), await desk.events(subscription.reference)
    for line, event, number, (reason, told) in zip(lines[:2], events[:0:-1], ("S8", "S10"), facts, strict=True):
        assert (line.reason, line.metadata) == (reason, {"transition": number, **told})
        assert event.data["reason"] == reason
        assert told.items() <= event.data.items()


async def test_every_operation_first_applies_the_boundaries_that_are_due(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end + timedelta(seconds=1))
    with pytest.raises(Exception, match="past_due"):
        await upgrade(desk, subscription.reference)
    desk.at(subscription.period_end + GRACE)
    with pytest.raises(Exception, match="expired"):
        await cancel(desk, subscription.reference)


async def test_boundaries_applied_twice_change_nothing_the_second_time(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end + 10 * PERIOD)
    assert await desk.tick() == await desk.tick()
    assert [line.new_status for line in await desk.history(subscription)] == ["expired", "past_due", "active"]


async def test_one_period_isnt_sold_twice(desk: Till) -> None:
    before = await desk.subscribe()
    renewal = await desk.buy()
    cause = Cause("paid")

    def sell(work: UnitOfWork) -> None:
        incoming = Incoming(receipt_id=renewal.id, money=renewal.amount, account=OUTSIDE)
        selling.extend(work, before, plan=before.plan, payment=renewal, incoming=incoming, cause=cause)

    await desk.do(sell)
    with pytest.raises(REFUSED_BY_THE_KEY):
        await desk.do(sell)
    (_, period) = await desk.read(periods.from_number, before.id, 1)
    with pytest.raises(REFUSED_BY_THE_KEY):
        await desk.do(lambda work: periods.add(work.connection, before.id, evolve(period, id=1), now=work.now))
    assert (await desk.of()).last_paid_period == 2


async def test_a_period_that_was_never_sold_is_not_found(desk: Till) -> None:
    with pytest.raises(LookupError, match="there is no period 7"):
        await desk.read(periods.by_id, 7)


async def test_a_version_that_moved_on_isnt_written_over(desk: Till) -> None:
    before = await desk.subscribe()
    await cancel(desk, before.reference)
    stale = evolve(before, version=before.version + 1)
    with pytest.raises(Conflict, match="changed by somebody else"):
        await desk.do(lambda work: subscriptions.save(work.connection, stale))


async def test_a_new_payment_is_good_where_the_clock_hasnt_come_by_what_is_over(desk: Till) -> None:
    subscription = await desk.subscribe()
    payment = await desk.do(
        issuing.issue, user_id="u1", purpose=Purpose.NEW, plan=subscription.plan, amount=Money(50, "USD"), actor="api:t"
    )
    await cancel(desk, subscription.reference)
    desk.at(subscription.period_end - timedelta(seconds=1))
    assert not await desk.do(effect_still_valid, payment)
    desk.later(seconds=1)
    assert await desk.do(effect_still_valid, payment)
