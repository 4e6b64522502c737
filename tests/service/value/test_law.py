"""The law of value, by its model: its right answers, the stories, and everything in a random order."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.value.law import PERIOD, Law, Period, Subscription, half_up
from service.value.shop import Refused, Shop
from service.value.stories import PLANS as STORY_PLANS
from service.value.stories import STORIES, Story

pytestmark = pytest.mark.uncounted  # the model runs nothing of the service
HOUR, DAY = 3_600, 86_400
PLANS = {"BASIC": (10, "USD"), "PREMIUM": (50, "USD"), "FAMILY": (100, "USD"), "GOLD": (200, "USD")}


@pytest.fixture
def shop() -> Shop:
    return Shop(PLANS)


def bought(shop: Shop, plan: str, *prices: int) -> None:
    """Buy a plan as "p1", and renew it as "p2" and so on, each at its own price; then put the old price back."""
    usual = shop.plans[plan][0]
    for number, price in enumerate(prices, 1):
        shop.price_plan(plan, price)
        shop.buy("p1", "u", plan) if number == 1 else shop.renew(f"p{number}", "u")
        shop.pay(f"p{number}")
    shop.price_plan(plan, usual)


def test_a_change_to_a_plan_that_is_cheaper_than_what_is_held_frees_value(shop: Shop) -> None:
    bought(shop, "PREMIUM", 50, 500)
    assert shop.change("c", "u", "FAMILY") == -350
    assert shop.credit("u") == 350
    assert shop.held("u") == [100, 100]


def test_an_upgrade_that_was_refunded_is_quoted_the_same_again(shop: Shop) -> None:
    bought(shop, "PREMIUM", 50, 80)
    assert shop.change("a", "u", "FAMILY") == 70
    shop.pay("a")
    shop.refund("a", reverse=True)
    assert (shop.plan("u"), shop.held("u")) == ("PREMIUM", [50, 80])
    assert shop.change("b", "u", "FAMILY") == 70


@pytest.mark.parametrize("prices", [(100, 100, 20), (20, 20, 100)])
def test_a_downgrade_earns_what_is_held_above_the_need_after_a_refund(shop: Shop, prices: tuple[int, ...]) -> None:
    bought(shop, "FAMILY", *prices)
    shop.refund("p2", reverse=True)
    assert shop.entitled_until("u") == 2 * PERIOD
    assert shop.change("c", "u", "BASIC") == -100
    assert shop.credit("u") == 100


def test_what_was_waived_is_never_earned(shop: Shop) -> None:
    bought(shop, "FAMILY", 100, 20)
    shop.advance(PERIOD - HOUR)
    assert shop.change("c", "u", "PREMIUM") == 0
    assert shop.change("d", "u", "BASIC") == -10
    assert shop.credit("u") == 10


def test_a_renewal_is_made_again_without_the_credit_that_was_refunded(shop: Shop) -> None:
    bought(shop, "PREMIUM", 50)
    shop.change("a", "u", "FAMILY")
    shop.renew("r", "u")
    shop.pay("r")  # what is paid ahead changes, so the quote is outdated
    shop.pay("a")
    assert shop.credit("u") == 50
    shop.price_plan("PREMIUM", 70)
    shop.renew("next", "u")
    assert (shop.payments["next"].amount, shop.credit("u")) == (20, 0)
    shop.refund("a", reverse=True)
    assert shop.payments["next"].status == "superseded"
    assert (shop.payments["next'"].amount, shop.credit("u")) == (70, 0)
    assert shop.value_of("a") == {"returned": 50}


def test_no_period_is_bought_with_credit_that_was_refunded(shop: Shop) -> None:
    bought(shop, "FAMILY", 100)
    shop.change("c", "u", "PREMIUM")
    shop.cancel("u", now=True)
    shop.buy("n", "u", "PREMIUM")
    assert (shop.payments["n"].amount, shop.payments["n"].credit) == (1, 49)
    shop.refund("p1", reverse=True)
    assert shop.payments["n"].status == "superseded"
    shop.pay("n")
    assert shop.value_of("n") == {"review": 1}
    assert "u" not in shop.law.live
    assert shop.credit("u") == 0


@pytest.mark.parametrize("paid", [False, True])
def test_no_credit_of_refunded_money_is_left(shop: Shop, paid: bool) -> None:
    bought(shop, "PREMIUM", 50)
    shop.change("a", "u", "FAMILY")
    shop.pay("a")
    shop.change("c", "u", "PREMIUM")
    shop.price_plan("PREMIUM", 60)
    shop.renew("r", "u")
    assert shop.payments["r"].credit == 50
    shop.pay("r") if paid else shop.cancel_payment("r")
    shop.refund("a", reverse=True)
    assert shop.value_of("a") == {"returned": 50}
    assert all(shop.law.held(account, "a/1/USD") == 0 for account in shop.law.at if account not in ("outside", "gift"))


def test_the_time_is_cut_where_an_earlier_upgrade_is_refunded(shop: Shop) -> None:
    bought(shop, "PREMIUM", 50)
    for name, plan in (("a", "FAMILY"), ("b", "GOLD")):
        shop.change(name, "u", plan)
        shop.pay(name)
    shop.refund("a", reverse=True)
    assert shop.value_of("a") == {"returned": 50}
    assert (shop.plan("u"), shop.held("u"), shop.entitled_until("u")) == ("GOLD", [150], PERIOD * 3 // 4)


@pytest.mark.parametrize("prices", [(50, 100), (1, 3)])
@pytest.mark.parametrize("every", [60, 3_600, 12_960, 25_920, 40_000])
def test_a_thousand_changes_serve_as_much_as_the_plans_cost(every: int, prices: tuple[int, int]) -> None:
    law, paid, cost, plan = Law(), prices[0], Fraction(0), 0
    found = Subscription("u", "0", PERIOD, periods=[Period("0", prices[0], 0, PERIOD)])
    law.received["p/0/USD"] = paid
    law.move("outside", found.periods[0], paid, "p/0/USD")
    while law.now + every < PERIOD:
        law.now += every
        law.serve(found)
        cost += Fraction(prices[plan] * every, PERIOD)
        plan = 1 - plan
        charge = sum(law.needs(found, prices[plan]).values()) - law.held(found.periods[0])
        by_credit = max(0, min(charge, law.credit("u")))
        if charge > by_credit:
            receipt = f"p/{law.now}/USD"
            law.received[receipt] = charge - by_credit
            law.move("outside", ("review", receipt), charge - by_credit, receipt)
            paid += charge - by_credit
        sources: list[tuple[Any, int]] = [(("credit", "u", "USD"), by_credit)]
        sources += [(("review", receipt), charge - by_credit)] if charge > by_credit else []
        law.switch(found, str(plan), prices[plan], "", sources if charge and (charge < 0 or plan) else None)
    cost += Fraction(prices[plan] * (PERIOD - law.now), PERIOD)
    law.now = PERIOD
    law.serve(found)
    law.check()
    assert law.held("served") + law.credit("u") == paid
    # Changes that fall on each half cent exactly, every 12,960 s, make it two cents.
    assert abs(law.held("served") - cost) <= (2 if every == 12_960 else 1)


def test_an_operator_accepts_as_much_as_came(shop: Shop) -> None:
    shop.price_plan("GOLD", 5_000)
    bought(shop, "PREMIUM", 50)
    assert shop.change("a", "u", "GOLD") == 4_950
    shop.pay("a", 1)
    shop.change("b", "u", "BASIC")
    assert shop.credit("u") == 40
    shop.resolve("a", "accept")
    assert (shop.value_of("a"), shop.credit("u"), shop.plan("u")) == ({"credit": 1}, 41, "BASIC")


def test_money_that_follows_other_money_is_seen(shop: Shop) -> None:
    shop.one_off("o", "u", 200)
    shop.pay("o", 1)
    shop.pay("o", 200)
    shop.resolve("o", "return", 1)
    assert shop.value_of("o") == {"returned": 1, "review": 200}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.title)
def test_a_story_ends_with_the_right_answer(story: Story) -> None:
    shop, refused = Shop(STORY_PLANS), []
    for place, (method, *arguments) in enumerate(story.steps):
        try:
            getattr(shop, "price_plan" if method == "price" else method)(*arguments)
        except Refused:
            refused.append(place)
    assert tuple(refused) == story.refused
    assert {name: shop.value_of(name) for name, payment in shop.payments.items() if payment.receipts} == story.values
    assert {code: shop.credit("u", code) for code in ("USD", "KHR") if shop.credit("u", code)} == story.credit
    assert {name: one.amount for name, one in shop.payments.items() if one.status == "pending"} == story.waiting
    assert {code: gifts for code in ("USD", "KHR") if (gifts := shop.gifts(code))} == story.gifts
    if story.subscription:
        status = shop.law.subscription("u").status
        assert (shop.plan("u"), status, tuple(shop.held("u")), shop.entitled_until("u")) == story.subscription
    else:
        assert "u" not in shop.law.live | shop.law.over


class Everything(RuleBasedStateMachine):
    """Does what users, payers, operators and the clock may do, in any order, and asserts the law after each step."""

    def __init__(self) -> None:
        super().__init__()
        others = {"FREE": (0, "USD"), "CENT": (1, "USD"), "RIEL": (4_000, "KHR"), "MORE_RIEL": (9_999, "KHR")}
        self.shop = Shop(PLANS | others)
        self.number = 0

    def name(self) -> str:
        self.number += 1
        return f"p{self.number}"

    def tried(self, method: str, *arguments: object) -> None:
        before = self.shop.law.now, str(dict(self.shop.law.at)), len(self.shop.payments)
        try:
            getattr(self.shop, method)(*arguments)
        except Refused:
            assert before == (self.shop.law.now, str(dict(self.shop.law.at)), len(self.shop.payments))

    users = st.sampled_from(["u", "w"])
    plans = st.sampled_from(["BASIC", "PREMIUM", "FAMILY", "GOLD", "FREE", "RIEL", "MORE_RIEL", "CENT"])

    @rule(user=users, plan=plans)
    def buy(self, user: str, plan: str) -> None:
        self.tried("buy", self.name(), user, plan)

    @rule(user=users)
    def renew(self, user: str) -> None:
        self.tried("renew", self.name(), user)

    @rule(user=users, plan=plans)
    def change(self, user: str, plan: str) -> None:
        self.tried("change", self.name(), user, plan)

    @rule(user=users, plan=plans)
    def schedule(self, user: str, plan: str) -> None:
        self.tried("schedule", user, plan)

    @rule(user=users, amount=st.integers(1, 300), currency=st.sampled_from(["USD", "KHR"]))
    def one_off(self, user: str, amount: int, currency: str) -> None:
        self.tried("one_off", self.name(), user, amount, currency)

    @rule(user=users, now=st.booleans())
    def cancel(self, user: str, now: bool) -> None:
        self.tried("cancel", user, now)

    @rule(user=users)
    def resume(self, user: str) -> None:
        self.tried("resume", user)

    @rule(seconds=st.sampled_from([1, 59, 901, HOUR, DAY, 10 * DAY, PERIOD // 2, PERIOD - 1, PERIOD]))
    def advance(self, seconds: int) -> None:
        self.shop.advance(seconds)

    @rule(plan=plans, price=st.sampled_from([1, 7, 20, 50, 99, 100, 333, 4_000]))
    def price_plan(self, plan: str, price: int) -> None:
        self.shop.price_plan(plan, price)

    @rule(user=users, amount=st.integers(1, 200), currency=st.sampled_from(["USD", "KHR"]))
    def give(self, user: str, amount: int, currency: str) -> None:
        self.shop.give(user, amount, currency)

    @rule(user=users, amount=st.integers(1, 200))
    def remove(self, user: str, amount: int) -> None:
        self.tried("remove", user, amount)

    @precondition(lambda self: self.shop.payments)
    @rule(data=st.data())
    def pay_what_is_open(self, data: st.DataObject) -> None:
        names = [name for name, payment in self.shop.payments.items() if payment.status == "pending"]
        if names:
            self.shop.pay(data.draw(st.sampled_from(names)))

    @precondition(lambda self: self.shop.payments)
    @rule(data=st.data(), amount=st.sampled_from([None, None, 1, 60, 5_000]))
    def pay_anything(self, data: st.DataObject, amount: int | None) -> None:
        self.shop.pay(data.draw(st.sampled_from(list(self.shop.payments))), amount)

    @precondition(lambda self: self.shop.payments)
    @rule(data=st.data(), reverse=st.booleans(), part=st.sampled_from([None, 1, 7, 30]))
    def refund(self, data: st.DataObject, reverse: bool, part: int | None) -> None:
        self.tried("refund", data.draw(st.sampled_from(list(self.shop.payments))), reverse, part)

    @precondition(lambda self: self.shop.payments)
    @rule(data=st.data())
    def cancel_payment(self, data: st.DataObject) -> None:
        self.tried("cancel_payment", data.draw(st.sampled_from(list(self.shop.payments))))

    @precondition(lambda self: any(p.receipts for p in self.shop.payments.values()))
    @rule(data=st.data(), action=st.sampled_from(["accept", "credit", "return", "not_ours"]))
    def resolve(self, data: st.DataObject, action: str) -> None:
        payment = data.draw(st.sampled_from([p for p in self.shop.payments.values() if p.receipts]))
        self.tried("resolve", payment.name, action, data.draw(st.integers(1, len(payment.receipts))))

    @invariant()
    def every_cent_is_in_one_place(self) -> None:
        self.shop.law.check()

    @invariant()
    def nobody_holds_more_than_was_paid_or_given(self) -> None:
        law = self.shop.law
        kept = sum(law.held(account) for account in law.at if account not in ("outside", "gift"))
        assert kept == -law.held("outside") - law.held("gift")

    @invariant()
    def a_payment_that_was_refunded_with_reverse_is_served_or_returned(self) -> None:
        for payment in self.shop.payments.values():
            if payment.status == "refunded" and payment.applied:
                assert set(self.shop.law.places(payment.applied)) <= {"served", "returned"}

    @invariant()
    def the_payer_has_all_of_a_refunded_payment(self) -> None:
        for payment in self.shop.payments.values():
            if payment.status == "refunded" and payment.applied:
                returned = self.shop.law.places(payment.applied).get("returned", 0)
                gift = self.shop.law.held("outside", f"gift for {payment.applied}")
                assert returned + gift == self.shop.law.received[payment.applied]

    @invariant()
    def an_open_payment_asks_for_what_a_qr_can(self) -> None:
        for payment in self.shop.payments.values():
            if payment.status == "pending":
                assert payment.amount >= (100 if payment.currency == "KHR" else 1)
                assert self.shop.law.held(("set aside", payment.name)) == payment.credit
            else:
                assert self.shop.law.held(("set aside", payment.name)) == 0

    @invariant()
    def the_time_of_a_period_is_no_longer_than_was_sold(self) -> None:
        for found in self.shop.law.live.values():
            assert len(found.periods) <= 3
            assert all(0 < period.end - period.start <= PERIOD for period in found.periods)
            assert all(abs(half_up(period.exact) - self.shop.law.held(period)) == 0 for period in found.periods)


TestEverything = Everything.TestCase
TestEverything.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
