"""Credit: earned, set aside, spent, given back, and never below zero."""

from datetime import timedelta
from itertools import chain, count
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy import Connection, select

from bakong_service.domain.errors import Conflict, Invalid
from bakong_service.domain.identifiers import Identifiers
from bakong_service.domain.ledger import OUTSIDE, gift_origin
from bakong_service.domain.money import Money
from bakong_service.domain.payment import NewPayment, Payment, Purpose
from bakong_service.domain.purchase import Incoming
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments import requests as payments
from bakong_service.operations.payments import reviews
from bakong_service.operations.payments.settling import pass_deadline
from bakong_service.operations.subscriptions import cancelling, plan_changes, renewing
from bakong_service.operations.subscriptions.purchases import apply_payment
from bakong_service.resources import GrantedCredit
from bakong_service.storage import audit
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.payments import payments as rows
from bakong_service.storage.payments import reviews as queue
from bakong_service.storage.schema import ledger_entries
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Reckoning is the same on both databases; SQLite is the faster one. Two at once: `test_flaws.py`."""
    return sqlite_url


async def give(desk: Till, minor: int, currency: str = "USD", reason: str = "goodwill") -> GrantedCredit:
    """Give the user credit, or remove it where the amount is below zero."""
    amount = Money(minor, currency)
    given: GrantedCredit = await desk.do(credit.grant, "u1", amount, reason=reason, actor="operator:sokha")
    return given


async def renew(desk: Till, reference: str) -> Any:
    return await desk.do(renewing.renew, reference, actor="api:test")


async def time_out(desk: Till, payment: Payment) -> None:
    desk.later(seconds=16 * 60)
    await desk.do(lambda work: pass_deadline(work, there(rows.lock(work.connection, payment.id))))


async def held(desk: Till, *origins: str) -> dict[str, int]:
    """Return how much of these origins each kind of account holds."""
    holdings = await desk.read(ledger.of_origins, origins)
    return {holding.account.kind.value: holding.money.minor for holding in holdings}


def reasons_of(connection: Connection, reference: str) -> set[str]:
    """Return why value moved for a cause."""
    of_this = select(ledger_entries.c.reason).where(ledger_entries.c.cause == reference)
    return set(connection.execute(of_this).scalars())


async def test_an_operator_gives_credit_and_the_audit_keeps_who_and_why(desk: Till) -> None:
    await give(desk, 30)
    given = await give(desk, 12, reason="the QR was late")
    assert (given.user_id, given.amount, given.balance) == ("u1", "0.12", "0.42")
    assert await held(desk, gift_origin(given.reference)) == {"credit": 12, "gift": -12}
    (line,) = await desk.read(audit.page, limit=9, subject=given.reference)
    assert (line.action, line.actor) == ("credit.given", "operator:sokha")
    assert line.details == {"user_id": "u1", "amount": "0.12", "currency": "USD", "reason": "the QR was late"}


async def test_a_cent_can_be_given_and_removed_and_each_says_what_it_was(desk: Till) -> None:
    given, removed = await give(desk, 1), await give(desk, -1)
    assert (given.balance, removed.balance) == ("0.01", "0.00")
    for reference, action, reason in (
        (given.reference, "credit.given", "granted"),
        (removed.reference, "credit.removed", "removed"),
    ):
        (line,) = await desk.read(audit.page, limit=9, subject=reference)
        assert line.action == action
        assert await desk.read(reasons_of, reference) == {reason}


async def test_an_operator_removes_credit_and_what_came_first_is_lost_first(desk: Till) -> None:
    first, second = await give(desk, 30), await give(desk, 12)
    removed = await give(desk, -35, reason="given by mistake")
    assert (removed.amount, removed.balance) == ("-0.35", "0.07")
    assert await held(desk, gift_origin(first.reference)) == {"gift": -30, "lost": 30}
    assert await held(desk, gift_origin(second.reference)) == {"credit": 7, "gift": -12, "lost": 5}
    (line,) = await desk.read(audit.page, limit=9, subject=removed.reference)
    assert (line.action, there(line.details)["amount"]) == ("credit.removed", "-0.35")


async def test_all_credit_can_be_removed_and_no_more_than_that(desk: Till) -> None:
    await give(desk, 30)
    await give(desk, 4000, "KHR")
    with pytest.raises(Conflict, match=r"u1 has 0\.30 USD of credit; no more than that can be removed") as refused:
        await give(desk, -31)
    assert refused.value.code == "credit_too_small"
    assert await desk.credit() == 30
    assert (await give(desk, -30)).balance == "0.00"
    assert await desk.credit(currency="KHR") == 4000


@pytest.mark.parametrize(
    ("minor", "reason", "pointer", "code"),
    [(0, "goodwill", "/amount", "amount_is_zero"), (5, "", "/reason", "required"), (-5, " \n", "/reason", "required")],
)
async def test_credit_of_nothing_or_without_a_reason_is_refused(
    desk: Till, minor: int, reason: str, pointer: str, code: str
) -> None:
    await give(desk, 30)
    with pytest.raises(Invalid) as refused:
        await give(desk, minor, reason=reason)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]
    assert refused.value.code == code
    assert await desk.credit() == 30


async def test_a_renewal_costs_less_by_the_credit_which_is_set_aside_at_once(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    payment = (await renew(desk, subscription.reference)).payment
    assert (payment.amount, payment.credit_reserved) == (Money(30, "USD"), 20)
    assert await desk.credit() == 0
    await desk.pay(payment)
    assert ((await desk.of()).last_paid_period, await desk.credit()) == (2, 0)


async def test_credit_set_aside_is_given_back_when_the_payment_closes_unpaid(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    payment = (await renew(desk, subscription.reference)).payment
    await desk.do(payments.cancel, payment.reference, reason="changed my mind", actor="api:test")
    assert await desk.credit() == 20


async def test_a_newer_qr_takes_over_what_was_set_aside_for_the_older(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    await renew(desk, subscription.reference)
    desk.later(seconds=400)
    payment = (await renew(desk, subscription.reference)).payment
    assert (payment.amount.minor, payment.credit_reserved, await desk.credit()) == (30, 20, 0)
    again = await desk.buy("PREMIUM")  # the same through POST /v1/payments
    assert (again.purpose, again.amount.minor, again.credit_reserved) == (Purpose.RENEWAL, 30, 20)
    assert await desk.credit() == 0


async def test_credit_that_pays_it_all_renews_without_a_qr(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 80)
    renewed = await renew(desk, subscription.reference)
    assert (renewed.payment, renewed.subscription.last_paid_period) == (None, 2)
    assert await desk.credit() == 30
    assert (await desk.told(subscription.reference))[-1] == "renewed"


async def test_the_api_for_payments_names_the_renewal_where_credit_pays_it_all(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 50)
    with pytest.raises(Conflict, match=f"/v1/subscriptions/{subscription.reference}/renew") as refused:
        await desk.buy("PREMIUM")
    assert refused.value.code == "credit_covers_it"


async def test_looking_never_spends_credit(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 50)
    desk.later(days=29)
    after = await desk.do(renewing.look_at, subscription.id)
    assert (after.last_paid_period, await desk.credit()) == (1, 50)


async def test_a_rest_below_what_a_qr_can_ask_for_isnt_charged(desk: Till) -> None:
    subscription = await desk.subscribe("BASIC_KHR")
    await give(desk, 1950, "KHR")
    renewed = await renew(desk, subscription.reference)
    assert (renewed.payment, await desk.credit(currency="KHR")) == (None, 0)


async def test_a_rest_that_a_qr_can_ask_for_is_charged(desk: Till) -> None:
    subscription = await desk.subscribe("BASIC_KHR")
    await give(desk, 1900, "KHR")
    assert (await renew(desk, subscription.reference)).payment.amount == Money(100, "KHR")


async def test_a_new_subscription_is_cheaper_by_the_credit_but_its_qr_asks_for_something(desk: Till) -> None:
    await give(desk, 200)
    payment = await desk.buy("PREMIUM")
    assert (payment.amount.minor, payment.credit_reserved) == (1, 49)
    await desk.pay(payment)
    assert ((await desk.of()).status, await desk.credit()) == ("active", 151)


async def test_credit_that_is_set_aside_in_dollars_lowers_no_price_in_riel(desk: Till) -> None:
    await give(desk, 30)
    dollars = await desk.buy("PREMIUM")
    riel = await desk.buy("BASIC_KHR")
    assert (dollars.credit_reserved, riel.credit_reserved, riel.amount) == (30, 0, Money(2000, "KHR"))
    assert await desk.credit() == 30


async def test_an_upgrade_uses_credit_too(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    assert (asked.quote.proration, asked.quote.credit, asked.quote.amount) == ("0.50", "0.20", "0.30")
    await desk.pay(asked.payment)
    assert ((await desk.of()).plan.code, await desk.credit()) == ("FAMILY_PREMIUM", 0)


async def test_credit_that_pays_an_upgrade_switches_at_once(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 60)
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    assert (asked.payment, asked.subscription.plan.code, await desk.credit()) == (None, "FAMILY_PREMIUM", 10)


async def test_credit_that_a_renewal_set_aside_pays_a_rest_that_no_qr_can_ask_for(desk: Till) -> None:
    """The change ends the renewal, whose credit comes back: nothing may be waived while the user has credit."""
    subscription = await desk.subscribe("BASIC_KHR")
    await give(desk, 1000, "KHR")
    assert (await renew(desk, subscription.reference)).payment.credit_reserved == 1000
    await give(desk, 5950, "KHR")
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FULL_KHR", actor="api:test")
    assert (asked.payment, asked.quote.proration, asked.quote.credit) == (None, "6000", "6000")
    assert ((await desk.of()).plan.code, await desk.credit(currency="KHR")) == ("FULL_KHR", 950)


async def test_credit_of_another_currency_isnt_touched(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 5000, "KHR")
    assert (await renew(desk, subscription.reference)).payment.amount == Money(50, "USD")


async def test_late_money_takes_the_credit_that_was_given_back_again(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    payment = (await renew(desk, subscription.reference)).payment
    await time_out(desk, payment)
    assert await desk.credit() == 20
    paid = await desk.pay(payment, sent_at=payment.created_at + timedelta(minutes=1))
    assert (paid.status, await desk.credit(), (await desk.of()).last_paid_period) == ("paid", 0, 2)


async def test_late_money_whose_credit_is_spent_meanwhile_goes_to_a_person(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    payment = (await renew(desk, subscription.reference)).payment
    await time_out(desk, payment)
    await give(desk, -1)
    paid = await desk.pay(payment, sent_at=payment.created_at + timedelta(minutes=1))
    assert (paid.status, await desk.credit()) == ("review", 19)


async def test_late_money_takes_its_credit_from_the_upgrade_that_it_supersedes(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    payment = (await renew(desk, subscription.reference)).payment
    await time_out(desk, payment)
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    assert there(asked.payment).credit_reserved == 20
    paid = await desk.pay(payment, sent_at=payment.created_at + timedelta(minutes=1))
    assert (paid.status, await desk.credit(), (await desk.of()).last_paid_period) == ("paid", 0, 2)
    assert (await desk.payment(there(asked.payment))).status == "cancelled"


# Taking back what a refunded payment bought


async def reverse(desk: Till, payment: Payment) -> None:
    await desk.do(
        reviews.record_refund, payment.reference, refund_reference="FT1", reverse=True, actor="operator:sokha"
    )


async def test_a_refund_of_the_only_period_ends_the_subscription_now(desk: Till) -> None:
    payment = await desk.buy()
    await desk.pay(payment)
    desk.later(days=2)
    await reverse(desk, payment)
    after = await desk.of()
    assert (after.status, after.entitled_until) == ("expired", desk.now)
    assert await desk.told(after.reference) == ["activated", "cancelled", "ended"]


async def test_a_refund_of_the_only_period_of_a_cancelled_subscription_ends_it_now(desk: Till) -> None:
    payment = await desk.buy()
    await desk.pay(payment)
    await desk.do(cancelling.cancel, (await desk.of()).reference, at_once=False, reason=None, actor="api:test")
    await reverse(desk, payment)
    assert (await desk.of()).entitled_until == desk.now


async def test_a_refund_takes_the_last_paid_period_and_it_can_be_sold_again(desk: Till) -> None:
    subscription = await desk.subscribe()
    payment = (await renew(desk, subscription.reference)).payment
    await desk.pay(payment)
    await reverse(desk, payment)
    after = await desk.of()
    assert (after.status, after.last_paid_period, after.entitled_until) == ("active", 1, subscription.entitled_until)
    await desk.pay((await renew(desk, subscription.reference)).payment)
    assert (await desk.of()).last_paid_period == 2


async def test_a_refund_of_a_period_that_was_served_takes_nothing(desk: Till) -> None:
    first = await desk.buy()
    await desk.pay(first)
    subscription = await desk.of()
    await desk.pay((await renew(desk, subscription.reference)).payment)
    desk.later(days=31)
    await reverse(desk, first)
    after = await desk.of()
    assert (after.status, after.entitled_until) == ("active", subscription.anchor_at + timedelta(days=60))


async def test_a_refund_of_an_upgrade_brings_the_former_plan_back(desk: Till) -> None:
    subscription = await desk.subscribe()
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    await reverse(desk, await desk.pay(asked.payment))
    assert (await desk.of()).plan.code == "PREMIUM"
    assert await desk.told(subscription.reference) == ["activated", "upgraded", "downgraded"]


async def test_a_refund_of_an_upgrade_that_was_followed_by_another_plan_takes_its_share_of_the_time(desk: Till) -> None:
    subscription = await desk.subscribe()
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    upgraded = await desk.pay(asked.payment)
    further = await desk.do(plan_changes.upgrade, subscription.reference, "BUSINESS", actor="api:test")
    await desk.pay(further.payment)
    await reverse(desk, upgraded)  # 2.00 of 2.50 are left
    after = await desk.of()
    assert (after.plan.code, after.entitled_until) == ("BUSINESS", desk.now + timedelta(days=24))
    assert (await desk.told(after.reference))[-1] == "shortened"


async def test_a_refund_of_what_is_over_takes_nothing(desk: Till) -> None:
    payment = await desk.buy()
    await desk.pay(payment)
    desk.later(days=40)
    await reverse(desk, payment)
    assert (await desk.told((await desk.of()).reference))[-1] == "expired"


async def test_a_refund_of_money_that_became_credit_takes_what_it_bought_and_no_other_credit(desk: Till) -> None:
    subscription = await desk.subscribe()
    payment = (await renew(desk, subscription.reference)).payment
    await desk.do(cancelling.cancel, subscription.reference, at_once=False, reason=None, actor="api:test")
    await desk.pay(payment)
    (item,) = await desk.read(queue.of_payment, payment.id, only_open=True)
    await desk.do(reviews.resolve, item.reference, action="credit", actor="operator:sokha")
    assert await desk.credit() == 50
    await desk.do(cancelling.resume, subscription.reference, actor="api:test")
    await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")  # spends it
    await give(desk, 7)
    await reverse(desk, payment)
    after = await desk.of()
    assert (after.plan.code, after.entitled_until) == ("FAMILY_PREMIUM", desk.now + timedelta(days=15))
    assert await desk.credit() == 7


# Whatever an operator accepts does something, and never raises


async def accept(desk: Till, payment: Payment) -> Any:
    """Apply a payment's money whatever became of the subscription meanwhile."""
    fresh = there(await desk.read(rows.by_reference, payment.reference))
    incoming = Incoming(receipt_id=fresh.id, money=fresh.amount, account=OUTSIDE)
    return await desk.do(apply_payment, fresh, incoming, paid_at=desk.now)


async def test_accepted_money_for_another_subscription_becomes_credit(desk: Till) -> None:
    first = await desk.buy("PREMIUM")
    await desk.subscribe("FAMILY_PREMIUM")
    effect = await accept(desk, first)
    assert (effect.kind, effect.target, await desk.credit()) == ("credited", None, 50)


async def test_accepted_money_for_the_same_plan_extends_it(desk: Till) -> None:
    first = await desk.buy("PREMIUM")
    await desk.pay(await desk.buy("PREMIUM"))
    effect = await accept(desk, first)
    assert (effect.kind, (await desk.of()).last_paid_period) == ("renewed", 2)


async def test_accepted_money_for_an_upgrade_of_what_is_cancelled_becomes_credit(desk: Till) -> None:
    subscription = await desk.subscribe()
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    await desk.do(cancelling.cancel, subscription.reference, at_once=False, reason=None, actor="api:test")
    payment = there(asked.payment)
    effect = await accept(desk, payment)
    assert (effect.kind, await desk.credit()) == ("credited", payment.amount.minor)


async def test_accepted_money_for_an_upgrade_of_an_earlier_subscription_becomes_credit(desk: Till) -> None:
    subscription = await desk.subscribe()
    asked = await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM", actor="api:test")
    await desk.do(cancelling.cancel, subscription.reference, at_once=True, reason=None, actor="api:test")
    assert (await desk.subscribe()).paid_through == subscription.paid_through  # the quote fits it, too
    effect = await accept(desk, there(asked.payment))
    assert (effect.kind, await desk.credit()) == ("credited", there(asked.payment).amount.minor)


async def test_accepted_money_of_a_reduced_payment_buys_its_period_without_the_credit_that_is_gone(desk: Till) -> None:
    subscription = await desk.subscribe()
    await give(desk, 20)
    payment = (await renew(desk, subscription.reference)).payment
    await time_out(desk, payment)
    await give(desk, -15)
    effect = await accept(desk, payment)
    assert (effect.kind, await desk.credit()) == ("renewed", 0)
    assert (await desk.of()).last_paid_period == 2
    assert await held(desk, gift_origin(payment.reference)) == {}  # the shop gives it away: no value for anybody


# The ground


async def test_two_entries_that_are_given_one_id_are_both_written(desk: Till) -> None:
    bits = chain([7, 7, 8], count(9))
    desk.business = evolve(desk.business, identifiers=Identifiers(random_bits=lambda _: next(bits)))
    await give(desk, 10)
    await give(desk, 20)
    assert await desk.credit() == 30
    minor = ledger_entries.c.minor
    assert await desk.read(lambda c: c.execute(select(minor).order_by(minor)).scalars().all()) == [10, 20]


async def test_a_payment_of_nobody_has_no_credit(desk: Till) -> None:
    one_off = await desk.do(payments.create, NewPayment(amount=Money(100, "USD")), actor="api:test")
    with pytest.raises(ValueError, match="has no user"):
        credit.owner(one_off)


async def test_an_event_tells_the_credit_that_is_left_after_it(desk: Till) -> None:
    await give(desk, 40)
    asked = await desk.buy()
    await time_out(desk, asked)
    assert await desk.credit() == 40  # given back, and taken again when the money is seen
    await desk.pay(asked, sent_at=asked.created_at)
    (activated,) = await desk.events((await desk.of()).reference)
    assert activated.data["credit"] == {"amount": "0.00", "currency": "USD"}
    assert await desk.credit() == 0


async def test_a_change_at_the_end_is_told_with_the_payment_that_asks_for_it_and_so_is_its_withdrawal(
    desk: Till,
) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    await desk.do(renewing.renew, subscription.reference, actor="api:test")
    for plan, scheduled, amount, reason in (
        ("PREMIUM", "PREMIUM", "0.50", "downgrade_scheduled"),
        ("FAMILY_PREMIUM", None, "1.00", "downgrade_withdrawn"),
    ):
        await desk.do(plan_changes.downgrade, subscription.reference, plan, at_once=False, actor="api:test")
        told = (await desk.events(subscription.reference))[-1]
        assert (told.type, told.data["scheduled_plan"], told.data["reason"]) == (
            "subscription.downgrade_scheduled", scheduled, reason,
        )  # fmt: skip
        assert told.data["open_payment"]["amount"] == amount


async def test_more_money_for_a_refunded_payment_gives_no_credit_back_that_it_spent(desk: Till) -> None:
    await give(desk, 49)
    bought = await desk.pay(await desk.buy())
    assert bought.credit_reserved == 49
    await desk.do(reviews.record_refund, bought.reference, refund_reference="FT1", reverse=False, actor="operator:dara")
    await desk.pay(bought)
    assert await desk.credit() == 0
