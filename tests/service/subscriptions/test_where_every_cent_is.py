"""The stories in which value used to appear or vanish, each with its right answer. Prices are for 30 days."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from sqlalchemy import func, select

from bakong_service.domain import ledger as accounts
from bakong_service.domain.errors import Conflict
from bakong_service.domain.moment import moment
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.plan import PlanTerms
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments import settling, whereabouts
from bakong_service.operations.subscriptions import cancelling, plan_changes, plans, renewing
from bakong_service.resources import plain
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.schema import ledger_entries
from bakong_service.storage.schema import plan_changes as changes
from bakong_service.storage.subscriptions import periods, subscription_payments
from kit.till import Till

pytestmark = pytest.mark.anyio

PERIOD = timedelta(days=30)


class Shop:
    """A shop whose plans have the prices of the story, and one user who buys there."""

    def __init__(self, desk: Till) -> None:
        self.desk = desk

    async def offer(self, code: str, minor: int, currency: str = "USD") -> None:
        """Sell a plan at a price; a second time it is a new price."""
        terms = PlanTerms(code=code, name=code, price=Money(minor, currency))
        await self.desk.do(plans.offer, terms, actor="api:test")

    async def buy(self, plan: str, minor: int | None = None) -> Payment:
        """Buy a plan, or renew it, and pay at once; at the price of a moment, where one is given."""
        if minor is not None:
            await self.offer(plan, minor)
        return await self.desk.pay(await self.desk.buy(plan))

    async def upgrade(self, plan: str) -> Payment:
        """Ask for an upgrade; its payment, not paid yet."""
        upgraded = await self.desk.do(plan_changes.upgrade, (await self.desk.of()).reference, plan, actor="api:test")
        assert upgraded.payment is not None
        return upgraded.payment

    async def change(self, plan: str) -> int:
        """Change at once by whichever request is the right one; the credit that it earned."""
        before, reference = await self.desk.credit(), (await self.desk.of()).reference
        refused = None
        try:
            await self.desk.do(plan_changes.downgrade, reference, plan, at_once=True, actor="api:test")
        except Conflict as conflict:
            refused = conflict.code
        if refused is not None:
            assert refused == "upgrade_instead"
            assert (await self.desk.do(plan_changes.upgrade, reference, plan, actor="api:test")).payment is None
        return await self.desk.credit() - before

    async def refund(self, payment: Payment, *, reverse: bool = True) -> Payment:
        return await self.desk.refund(payment, reverse=reverse)

    async def resolve(self, payment: Payment, action: str) -> Payment:
        return await self.desk.resolve((await self.desk.reviews(payment))[0], action)

    async def renew(self) -> Payment | None:
        renewed = await self.desk.do(renewing.renew, (await self.desk.of()).reference, actor="api:test")
        return renewed.payment

    async def cancel(self) -> None:
        reference = (await self.desk.of()).reference
        await self.desk.do(cancelling.cancel, reference, at_once=True, reason=None, actor="api:test")

    async def open(self, purpose: Purpose) -> Payment | None:
        return await self.desk.read(subscription_payments.open_of, "u1", purpose)

    async def value(self, payment: Payment) -> dict[str, str]:
        """Where a payment's money is: the places that hold some."""
        held = await self.desk.payment(payment)
        found = plain(await self.desk.read(whereabouts.of_payment, held, now=self.desk.now))
        assert found["others"] == []
        named = {
            name: text for name, text in found.items() if name not in ("currency", "received", "refundable", "others")
        }
        return {name: text for name, text in named.items() if float(text)}

    async def time_out(self, payment: Payment) -> None:
        held = await self.desk.payment(payment)
        self.desk.at(held.deadline_at)
        await self.desk.do(settling.pass_deadline, held)


@pytest.fixture
async def shop(desk: Till) -> AsyncIterator[Shop]:
    """The shop. When a story is over, every invariant holds."""
    yield Shop(desk)
    found = await desk.violations()
    assert [each for each in found if each.invariant in ("I1", "I2", "I3", "I4", "I10", "I11", "I15")] == []


async def test_a_dearer_period_paid_ahead_frees_its_value_in_a_change_to_a_plan_that_costs_less(shop: Shop) -> None:
    await shop.buy("PREMIUM", 50)
    await shop.buy("PREMIUM", 500)
    assert await shop.change("FAMILY_PREMIUM") == 350


async def test_an_upgrade_that_was_refunded_costs_the_same_again(shop: Shop) -> None:
    await shop.buy("PREMIUM", 50)
    await shop.buy("PREMIUM", 80)
    upgrade = await shop.upgrade("FAMILY_PREMIUM")
    assert upgrade.amount == Money(70, "USD")
    await shop.refund(await shop.desk.pay(upgrade))
    assert (await shop.desk.of()).plan.code == "PREMIUM"
    assert (await shop.upgrade("FAMILY_PREMIUM")).amount == Money(70, "USD")


async def test_an_upgrade_that_cost_nothing_for_one_period_is_taken_back_from_all(shop: Shop) -> None:
    await shop.buy("PREMIUM", 50)
    await shop.buy("PREMIUM", 100)
    before = await shop.desk.of()
    upgrade = await shop.desk.pay(await shop.upgrade("FAMILY_PREMIUM"))
    assert upgrade.amount == Money(50, "USD")
    await shop.refund(upgrade)
    after = await shop.desk.of()
    assert (after.plan.code, after.entitled_until) == ("PREMIUM", before.entitled_until)
    assert after.scheduled_plan is None
    paid = await shop.desk.read(periods.from_number, after.id, 1)
    assert [(each.plan.code, each.value) for each in paid] == [("PREMIUM", Fraction(50)), ("PREMIUM", Fraction(100))]


@pytest.mark.parametrize("prices", [(100, 100, 20), (20, 20, 100)])
async def test_periods_that_move_up_for_a_refunded_one_keep_their_value(shop: Shop, prices: tuple[int, ...]) -> None:
    await shop.offer("BASIC", 10)
    bought = [await shop.buy("FAMILY_PREMIUM", price) for price in prices]
    await shop.refund(bought[1])
    assert (await shop.desk.of()).paid_through == shop.desk.now + 2 * PERIOD
    assert await shop.change("BASIC") == 100
    assert await shop.value(bought[1]) == {"returned": f"{prices[1] / 100:.2f}"}


async def test_what_a_cheaper_plan_would_have_cost_more_is_never_earned(shop: Shop) -> None:
    await shop.offer("BASIC", 10)
    await shop.buy("FAMILY_PREMIUM", 100)
    await shop.buy("FAMILY_PREMIUM", 20)
    shop.desk.later(days=30, seconds=-3600)
    assert await shop.change("PREMIUM") == 0
    assert await shop.change("BASIC") == 10


async def late_upgrade(shop: Shop) -> Payment:
    """An upgrade whose money came when the plan had changed, so that it is credit."""
    await shop.buy("PREMIUM", 50)
    upgrade = await shop.upgrade("FAMILY_PREMIUM")
    await shop.buy("PREMIUM")  # the quote was made for a shorter time
    late = await shop.desk.pay(upgrade)
    assert late.status == "review"
    return await shop.resolve(late, "credit")


async def test_a_renewal_that_credit_of_refunded_money_reduced_is_made_again_at_its_price(shop: Shop) -> None:
    late = await late_upgrade(shop)
    renewal = await shop.renew()
    assert renewal is None  # 0.50 of credit pays for a period of 0.50
    assert await shop.value(late) == {"periods": "0.50"}


async def test_credit_that_is_set_aside_goes_back_with_the_money_that_it_was(shop: Shop) -> None:
    await shop.offer("PLUS", 75)
    await shop.buy("PREMIUM", 50)
    upgrade = await shop.upgrade("PLUS")
    await shop.buy("PREMIUM")
    late = await shop.resolve(await shop.desk.pay(upgrade), "credit")
    renewal = await shop.renew()
    assert renewal is not None
    assert (renewal.amount, renewal.credit_reserved) == (Money(25, "USD"), 25)
    await shop.refund(late)
    remade = await shop.open(Purpose.RENEWAL)
    assert remade is not None
    assert remade.reference != renewal.reference
    assert (remade.amount, remade.credit_reserved) == (Money(50, "USD"), 0)
    assert await shop.desk.credit() == 0
    assert await shop.value(late) == {"returned": "0.25"}
    assert (await shop.desk.pay(renewal)).status == "review"


async def test_a_new_subscription_is_not_bought_with_credit_that_went_back(shop: Shop) -> None:
    family = await shop.buy("FAMILY_PREMIUM", 100)
    await shop.offer("PREMIUM", 50)
    assert await shop.change("PREMIUM") == 50
    await shop.cancel()
    new = await shop.desk.buy("PREMIUM")
    assert (new.amount, new.credit_reserved) == (Money(1, "USD"), 49)
    assert await shop.value(family) == {"lost": "0.50", "set_aside": "0.49", "credit": "0.01"}
    await shop.refund(family)
    assert await shop.value(family) == {"returned": "1.00"}
    assert (await shop.desk.pay(new)).status == "review"
    assert (await shop.desk.of()).status == "expired"


@pytest.mark.parametrize("ending", ["paid", "unpaid"])
async def test_no_credit_of_refunded_money_is_left_however_the_renewal_ends(shop: Shop, ending: str) -> None:
    await shop.buy("PREMIUM", 50)
    upgrade = await shop.desk.pay(await shop.upgrade("FAMILY_PREMIUM"))
    assert await shop.change("PREMIUM") == 50
    await shop.offer("PREMIUM", 80)
    renewal = await shop.renew()
    assert renewal is not None
    await shop.refund(upgrade)
    if ending == "paid":
        assert (await shop.desk.pay(renewal)).status == "review"
    else:
        await shop.time_out(renewal)
    assert await shop.value(upgrade) != {}
    assert "credit" not in await shop.value(upgrade)


async def test_time_follows_the_value_that_is_left_after_a_refund_below_a_later_upgrade(shop: Shop) -> None:
    await shop.offer("A", 100)
    await shop.offer("B", 200)
    await shop.buy("PREMIUM", 50)
    first = await shop.desk.pay(await shop.upgrade("A"))
    second = await shop.desk.pay(await shop.upgrade("B"))
    assert (first.amount.minor, second.amount.minor) == (50, 100)
    refunded = await shop.refund(first)
    after = await shop.desk.of()
    assert (after.plan.code, after.entitled_until) == ("B", shop.desk.now + PERIOD * 3 / 4)
    assert await shop.value(first) == {"returned": "0.50"}
    assert (await shop.desk.events(refunded.reference))[-1].data["reversed"] == {"USD": {"period": "0.50"}}
    assert (await shop.desk.told(after.reference))[-1] == "shortened"


async def test_an_upgrade_that_was_quoted_for_time_that_a_refund_took_is_outdated(shop: Shop) -> None:
    await shop.offer("A", 100)
    await shop.offer("B", 200)
    first = await shop.buy("PREMIUM", 50)
    await shop.desk.pay(await shop.upgrade("A"))
    late = await shop.upgrade("B")
    sent_at = late.created_at + timedelta(minutes=1)
    await shop.time_out(late)
    await shop.refund(first)  # half of the time is left, in the same period
    before = await shop.desk.of()
    assert (await shop.desk.pay(late, sent_at=sent_at)).status == "paid"
    after = await shop.desk.of()
    assert (after.plan.code, after.entitled_until) == ("A", before.entitled_until)
    assert await shop.value(late) == {"credit": "1.00"}
    assert (await shop.desk.told(after.reference))[-1] == "upgrade_credited"


async def test_accepting_less_than_was_asked_never_makes_credit_of_what_was_asked(shop: Shop) -> None:
    await shop.offer("A", 100)
    await shop.offer("B", 10_000)
    await shop.buy("A")
    upgrade = await shop.upgrade("B")
    assert upgrade.amount == Money(9_900, "USD")
    assert (await shop.desk.pay(upgrade, amount=Money(1, "USD"))).status == "review"
    await shop.buy("A")
    accepted = await shop.resolve(upgrade, "accept")
    assert accepted.status == "paid"
    assert await shop.desk.credit() == 1
    assert (await shop.desk.events(upgrade.reference))[-1].data["received"] == {"amount": "0.01", "currency": "USD"}


async def test_accepting_less_than_was_asked_is_the_shop_s_gift(shop: Shop) -> None:
    bought = await shop.desk.buy("PREMIUM")
    await shop.desk.pay(bought, amount=Money(20, "USD"))
    await shop.resolve(bought, "accept")
    assert await shop.value(bought) == {"periods": "0.20"}
    told = (await shop.desk.events(bought.reference))[-1]
    assert (told.data["received"]["amount"], told.data["gift"]["amount"]) == ("0.20", "0.30")
    await shop.refund(bought)
    assert await shop.value(bought) == {"returned": "0.20"}
    assert (await shop.desk.of()).status == "expired"
    assert await shop.desk.credit() == 0


async def test_accepting_more_than_was_asked_leaves_the_rest_as_credit(shop: Shop) -> None:
    bought = await shop.desk.buy("PREMIUM")
    await shop.desk.pay(bought, amount=Money(80, "USD"))
    await shop.resolve(bought, "accept")
    assert await shop.value(bought) == {"periods": "0.50", "credit": "0.30"}


async def test_plans_changed_to_and_fro_every_six_hours_cost_what_they_cost_for_their_time(shop: Shop) -> None:
    await shop.offer("A", 50)
    await shop.offer("B", 97)
    paid = [await shop.buy("A")]
    cost, plan, turns = 0.0, "A", 30 * 4
    for _ in range(turns - 1):
        shop.desk.later(seconds=6 * 3600)
        cost += (50 if plan == "A" else 97) / turns
        if plan == "B":
            plan = "A"
            await shop.change(plan)
        else:
            plan = "B"
            upgraded = await shop.desk.do(
                plan_changes.upgrade, (await shop.desk.of()).reference, plan, actor="api:test"
            )
            if upgraded.payment is not None:
                paid.append(await shop.desk.pay(upgraded.payment))
    shop.desk.later(seconds=6 * 3600)
    cost += (50 if plan == "A" else 97) / turns
    await shop.desk.tick()
    values = [await shop.value(each) for each in paid]
    served = sum(round(float(each.get("served", "0")) * 100) for each in values)
    credit = sum(round(float(each.get("credit", "0")) * 100) for each in values)
    assert served + credit == sum(each.amount.minor for each in paid)
    assert credit == await shop.desk.credit()
    assert abs(served - cost) <= 1.1


async def test_a_refund_in_place_leaves_the_service_and_is_the_shop_s_gift(shop: Shop) -> None:
    bought = await shop.buy("PREMIUM")
    shop.desk.later(days=15)
    await shop.refund(bought, reverse=False)
    assert await shop.value(bought) == {"returned": "0.50"}
    assert (await shop.desk.of()).entitled_until == shop.desk.now + PERIOD / 2
    assert (await shop.desk.events(bought.reference))[-1].data["reversed"] == {}


async def test_a_refund_in_place_can_be_reversed_later_and_once(shop: Shop) -> None:
    bought = await shop.buy("PREMIUM")
    shop.desk.later(days=15)
    await shop.refund(bought, reverse=False)
    await shop.refund(bought, reverse=True)
    assert (await shop.desk.of()).status == "expired"
    assert (await shop.desk.events(bought.reference))[-1].data["reversed"] == {"USD": {"period": "0.25"}}
    assert (await shop.desk.told(bought.reference))[-1] == "reversed"
    with pytest.raises(Conflict, match="bought nothing that can still be taken back"):
        await shop.refund(bought, reverse=True)


async def test_money_that_became_credit_is_not_kept_beside_its_refund(shop: Shop) -> None:
    late = await late_upgrade(shop)
    assert await shop.desk.credit() == 50
    await shop.refund(late, reverse=False)
    assert await shop.desk.credit() == 0
    assert await shop.value(late) == {"returned": "0.50"}


async def test_an_upgrade_fills_periods_from_those_that_hold_too_much_before_it_takes_money(shop: Shop) -> None:
    await shop.buy("PREMIUM", 10)
    dear = await shop.buy("PREMIUM", 120)
    upgrade = await shop.upgrade("FAMILY_PREMIUM")
    assert upgrade.amount == Money(70, "USD")  # 0.90 are missing and 0.20 too much
    await shop.desk.pay(upgrade)
    paid = await shop.desk.read(periods.from_number, (await shop.desk.of()).id, 1)
    assert [(each.plan.code, each.value) for each in paid] == [("FAMILY_PREMIUM", Fraction(100))] * 2
    assert await shop.desk.credit() == 0
    shop.desk.at(paid[0].ends_at)
    await shop.desk.tick()
    assert await shop.value(dear) == {"served": "0.20", "periods": "1.00"}
    assert await shop.value(upgrade) == {"served": "0.70"}


async def test_time_serves_the_money_of_each_payment_in_the_order_in_which_it_came(shop: Shop) -> None:
    first = await shop.buy("PREMIUM", 50)
    second = await shop.desk.pay(await shop.upgrade("FAMILY_PREMIUM"))
    shop.desk.later(days=12)  # nothing moves: what is served is reckoned to the moment of the answer
    assert await shop.value(first) == {"served": "0.40", "periods": "0.10"}
    assert await shop.value(second) == {"periods": "0.50"}
    shop.desk.later(days=9)
    assert await shop.value(first) == {"served": "0.50"}
    assert await shop.value(second) == {"served": "0.20", "periods": "0.30"}


async def test_credit_pays_for_an_upgrade_only_what_other_periods_do_not(shop: Shop) -> None:
    await shop.buy("PREMIUM", 10)
    await shop.buy("PREMIUM", 120)
    await shop.desk.do(credit.grant, "u1", Money(75, "USD"), reason="goodwill", actor="operator:dara")
    assert await shop.change("FAMILY_PREMIUM") == -70
    paid = await shop.desk.read(periods.from_number, (await shop.desk.of()).id, 1)
    assert [each.value for each in paid] == [100, 100]


async def given(shop: Shop, payment: Payment) -> set[tuple[str, int, str]]:
    """Where the shop's gift for a payment is."""
    found = await shop.desk.read(ledger.of_origins, [accounts.gift_origin(payment.reference)])
    return {(each.account.kind.value, each.money.minor, each.money.currency) for each in found}


async def test_money_in_another_currency_is_not_accepted_for_a_period(shop: Shop) -> None:
    bought = await shop.desk.buy("PREMIUM")
    await shop.desk.pay(bought, amount=Money(2000, "KHR"))
    with pytest.raises(Conflict, match="a period can't hold another currency") as refused:
        await shop.resolve(bought, "accept")
    assert refused.value.code == "currency_differs"
    await shop.resolve(bought, "credit")
    assert await shop.desk.credit(currency="KHR") == 2000


async def test_money_of_no_currency_of_ours_waits_for_a_person_outside_the_ledger(shop: Shop) -> None:
    bought = await shop.desk.buy("PREMIUM")
    sighting = Sighting(
        tx_hash="e" * 64, amount=Decimal("0.50"), currency="EUR", to_account=bought.to_account, sent_at=shop.desk.now
    )
    outcome = Outcome(answer=Answer.FOUND, asked_at=shop.desk.now, sighting=sighting)
    assert (await shop.desk.do(settling.settle, bought.id, outcome)).status == "review"
    assert await shop.value(bought) == {}
    with pytest.raises(Conflict) as refused:
        await shop.resolve(bought, "accept")
    assert refused.value.code == "no_money_seen"
    assert (await shop.resolve(bought, "refunded")).status == "refunded"
    assert await shop.value(bought) == {}


async def test_a_refunded_upgrade_takes_the_later_period_that_its_money_paid_for_too(shop: Shop) -> None:
    await shop.buy("PREMIUM", 50)
    upgrade = await shop.upgrade("FAMILY_PREMIUM")
    await shop.desk.pay(upgrade, amount=Money(150, "USD"))
    await shop.resolve(upgrade, "accept")
    assert await shop.renew() is None  # the 1.00 that came too much pays for it
    assert await shop.value(upgrade) == {"periods": "1.50"}
    await shop.refund(upgrade)
    after = await shop.desk.of()
    assert (after.plan.code, after.entitled_until) == ("PREMIUM", shop.desk.now + PERIOD)
    assert (await shop.desk.told(after.reference))[-2:] == ["downgraded", "shortened"]
    assert await shop.value(upgrade) == {"returned": "1.50"}


async def test_a_renewal_is_not_made_again_for_a_subscription_that_the_refund_ended(shop: Shop) -> None:
    await shop.offer("BASIC", 2)
    family = await shop.buy("FAMILY_PREMIUM")
    assert await shop.change("BASIC") == 98
    await shop.offer("BASIC", 150)
    renewal = await shop.renew()
    assert renewal is not None
    assert renewal.credit_reserved == 98
    await shop.refund(family)
    assert (await shop.desk.of()).status == "expired"
    assert await shop.open(Purpose.RENEWAL) is None
    assert await shop.value(family) == {"returned": "1.00"}


async def test_what_a_preview_says_is_what_happens(shop: Shop) -> None:
    await shop.buy("FAMILY_PREMIUM", 100)
    await shop.buy("FAMILY_PREMIUM")
    shop.desk.later(days=15)
    reference = (await shop.desk.of()).reference
    later = await shop.desk.do(plan_changes.preview_downgrade, reference, "PREMIUM", at_once=False)
    assert (later.moves.periods, later.moves.to_credit) == ([], "0.00")
    now = await shop.desk.do(plan_changes.preview_downgrade, reference, "PREMIUM", at_once=True)
    assert plain(now.moves) == {
        "periods": [{"period": 1, "amount": "-0.25"}, {"period": 2, "amount": "-0.50"}], "from_payment": "0.00",
        "from_credit": "0.00", "to_credit": "0.75", "waived": "0.00", "lost": "0.00", "currency": "USD",
    }  # fmt: skip
    assert await shop.desk.credit() == 0
    assert await shop.change("PREMIUM") == 75
    quote = await shop.desk.do(plan_changes.preview_upgrade, reference, "FAMILY_PREMIUM")
    assert (quote.proration, quote.credit, quote.amount) == ("0.75", "0.75", "0.00")
    assert (quote.moves.from_credit, plain(quote.moves.periods)) == (
        "0.75", [{"period": 1, "amount": "0.25"}, {"period": 2, "amount": "0.50"}],
    )  # fmt: skip
    at_end = await shop.desk.do(cancelling.preview, reference, at_once=False)
    assert at_end.lost == "0.00"
    at_once = await shop.desk.do(cancelling.preview, reference, at_once=True)
    assert (at_once.lost, at_once.currency) == ("0.75", "USD")
    assert at_once.entitled_until == moment(shop.desk.now)
    await shop.cancel()
    lost = await shop.desk.read(ledger.balance, accounts.LOST, "USD")
    assert (lost, (await shop.desk.of()).status) == (75, "expired")


async def test_a_waived_difference_is_kept_with_the_change_and_in_no_account(shop: Shop) -> None:
    await shop.buy("FAMILY_PREMIUM", 100)
    await shop.buy("FAMILY_PREMIUM", 20)
    shop.desk.later(days=30, seconds=-3600)
    preview = await shop.desk.do(
        plan_changes.preview_downgrade, (await shop.desk.of()).reference, "PREMIUM", at_once=True
    )
    assert (preview.moves.waived, preview.moves.periods, preview.moves.to_credit) == ("0.30", [], "0.00")
    before = await shop.desk.read(lambda c: c.execute(select(func.count()).select_from(ledger_entries)).scalar_one())
    assert await shop.change("PREMIUM") == 0
    after = await shop.desk.read(lambda c: c.execute(select(func.count()).select_from(ledger_entries)).scalar_one())
    assert after - before == 1  # what time served
    assert await shop.desk.read(lambda c: c.execute(select(changes.c.waived)).scalar_one()) == 30


async def test_service_that_a_refund_left_in_place_is_never_turned_into_credit(shop: Shop) -> None:
    await shop.offer("BASIC", 10)
    bought = await shop.buy("FAMILY_PREMIUM", 100)
    await shop.refund(bought, reverse=False)
    reference = (await shop.desk.of()).reference
    preview = await shop.desk.do(plan_changes.preview_downgrade, reference, "BASIC", at_once=True)
    assert preview.moves.to_credit == "0.00"
    assert await shop.change("BASIC") == 0
    assert (await shop.desk.events(reference))[-1].data["earned"] == "0.00"
    assert await shop.value(bought) == {"returned": "1.00"}
