"""Random lives of a subscription, against a model that knows nothing but what was paid for and when.

Dollars or riel; payers who pay at once, later, too late or twice; operators who credit and refund; restarts.
CI runs the short form on both databases, `nox -s fuzz` the long one; `MACHINE_RUNS` sets another number of lives.
"""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count
from math import floor
from typing import Any

import pytest
from attrs import define, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bakong_service.domain.errors import Conflict
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Purpose
from bakong_service.domain.plan import PlanTerms
from bakong_service.operations import cancelling, plan_changes, plans, renewing, reviews
from bakong_service.operations.presenting import moment
from bakong_service.storage import invariants, receipts, subscription_payments
from bakong_service.storage import payments as payment_rows
from bakong_service.storage import reviews as queue
from bakong_service.storage.executor import connect

RUNS = int(os.environ.get("MACHINE_RUNS", "12"))
STEPS = 40

DOLLARS = {"PREMIUM": 50, "FAMILY_PREMIUM": 100, "TWIN": 100, "BUSINESS": 250}
RIEL = {"BASIC_KHR": 2000, "FULL_KHR": 8000}
PRICES = DOLLARS | RIEL
TWIN = PlanTerms(code="TWIN", name="At the same price", price=Money(100, "USD"))
START = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD, GRACE = timedelta(days=30), timedelta(days=3)
LATEST = timedelta(minutes=30)  # after this, money waits for a person

WAITS = [timedelta(0), timedelta(minutes=15), timedelta(hours=8), *map(timedelta, (1, 7, 14, 29, 34))]

plan_numbers = st.integers(0, 3)


@define
class Model:
    """One subscription: what was paid for, what was stopped, and what follows from the moment alone."""

    anchor: datetime
    plans: list[str]  # in force, by period
    payers: list[int | None]  # the payment that bought each; None: credit did
    scheduled: str | None = None
    number: int = 1
    end: datetime | None = None  # where it is cancelled
    status: str = "active"
    earned: int = 0  # by downgrades, and not taken back
    waived: Fraction = Fraction(0)  # of upgrades without a QR
    waived_through: int = 0  # the last paid period then

    @property
    def plan(self) -> str:
        return self.plans[self.number - 1]

    @property
    def paid_through(self) -> datetime:
        return self.anchor + len(self.plans) * PERIOD

    @property
    def entitled_until(self) -> datetime:
        if self.end is not None:
            return self.end
        return self.paid_through + (timedelta(0) if self.status == "active" else GRACE)

    @property
    def days_sold_until(self) -> datetime:
        return min(self.paid_through, self.entitled_until)

    @property
    def stands(self) -> tuple[str, int, int]:
        """What an upgrade is quoted for."""
        return self.plan, self.number, len(self.plans)

    def pass_to(self, now: datetime) -> None:
        """What the passing of time does, and nothing that is over comes back."""
        if self.status == "expired":
            return
        begun = min(len(self.plans), (min(now, self.end or now) - self.anchor) // PERIOD + 1)
        while self.number < begun:
            self.number += 1
            if self.plan == self.scheduled:
                self.scheduled = None
        if self.end is not None:
            self.status = "expired" if now >= self.end else "cancelled"
        elif now < self.paid_through:
            self.status = "active"
        else:
            self.status = "expired" if now >= self.paid_through + GRACE else "past_due"

    def difference(self, plan: str, now: datetime) -> Fraction:
        """What the paid time that is ahead costs more under another plan."""
        total = Fraction(0)
        for number in range(self.number, len(self.plans) + 1):
            left = self.anchor + number * PERIOD - max(now, self.anchor + (number - 1) * PERIOD)
            part = Fraction(left // timedelta(microseconds=1), PERIOD // timedelta(microseconds=1))
            total += (PRICES[plan] - PRICES[self.plans[number - 1]]) * part
        return total

    def switch(self, plan: str) -> None:
        self.plans[self.number - 1 :] = [plan] * (len(self.plans) - self.number + 1)
        self.scheduled = None

    def waives(self, cost: Fraction) -> None:
        """What a change leaves unpaid of the time ahead, up to the last paid period."""
        if self.waived_through < self.number:
            self.waived = Fraction(0)
        self.waived = max(Fraction(0), self.waived + cost)
        self.waived_through = len(self.plans)


@define
class Asked:
    """A payment that waits, and what it would do."""

    payment: Any
    stood: tuple[str, int, int]
    set_aside: int


@define
class Bought:
    """A payment that was paid, for a period of a subscription or else for credit alone."""

    payment: Any
    model: Model | None = field(eq=False)
    is_period: bool


def a_machine(run: Callable[[Any], Any], desk: Any, users: Any, restart: Callable[[], None]) -> type[Any]:
    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.user = f"user {next(users)}"
            desk.at(START)
            self.model: Model | None = None
            self.credit = 0
            self.asked: dict[int, Asked] = {}
            self.closed: dict[int, Asked] = {}
            self.bought: list[Bought] = []

        @initialize(riel=st.booleans(), number=plan_numbers)
        def choose(self, riel: bool, number: int) -> None:
            self.prices = RIEL if riel else DOLLARS
            self.currency, self.least = ("KHR", 100) if riel else ("USD", 1)
            self.begin(number)

        def code(self, number: int) -> str:
            return sorted(self.prices)[number % len(self.prices)]

        @property
        def reference(self) -> str:
            return str(run(desk.of(self.user)).reference)

        def now(self) -> Model:
            assert self.model is not None
            self.model.pass_to(desk.now)
            return self.model

        def split(self, price: int, *purposes: Purpose) -> tuple[int, int]:
            """What a QR asks for and what credit pays; what is set aside for what is superseded counts."""
            open_ones = [each.set_aside for each in self.asked.values() if each.payment.purpose in purposes]
            used = min(self.credit + sum(open_ones), price)
            return (price - used if price - used >= self.least else 0), used

        def look(self) -> None:
            """Credit follows the payments that were closed, and those that were made."""
            for payment_id, asked in list(self.asked.items()):
                if run(desk.read(payment_rows.by_id, payment_id)).status == "cancelled":
                    self.credit += asked.set_aside
                    asked.set_aside = 0
                    self.closed[payment_id] = self.asked.pop(payment_id)
            for purpose in (Purpose.RENEWAL, Purpose.UPGRADE):
                payment = run(desk.read(subscription_payments.open_of, self.user, purpose))
                if payment is not None and payment.id not in self.asked:
                    assert self.model is not None
                    self.asked[payment.id] = Asked(payment, self.model.stands, payment.credit_reserved)
                    self.credit -= payment.credit_reserved

        def start(self, payment: Any, paid_at: datetime) -> None:
            starts_at = paid_at if self.model is None else max(paid_at, self.model.days_sold_until)
            self.model = Model(anchor=starts_at, plans=[payment.plan], payers=[payment.id])
            self.bought.append(Bought(payment, self.model, is_period=True))

        def to_review(self, payment: Any) -> None:
            """An operator puts on the user's credit what waits for a person."""
            (item,) = run(desk.read(queue.of_payment, payment.id, only_open=True))
            run(desk.do(reviews.resolve, item.reference, action="credit", operator="operator:dara"))
            self.credit += payment.amount.minor

        # What people do

        @rule(passed=st.sampled_from(WAITS), seconds=st.integers(0, 3600))
        def time_passes(self, passed: timedelta, seconds: int) -> None:
            desk.after(seconds=passed.total_seconds() + seconds)

        @rule()
        def restart(self) -> None:
            restart()

        @rule(number=plan_numbers)
        def begin(self, number: int) -> None:
            plan = self.code(number)
            if self.model is not None and self.now().status != "expired":
                return
            desk.after(seconds=1)  # two subscriptions of one user don't begin in one millisecond
            self.look()
            payment = run(desk.buy(plan, self.user))
            assert payment.credit_reserved == min(self.credit, PRICES[plan] - self.least)
            assert payment.amount.minor + payment.credit_reserved == PRICES[plan]
            self.credit -= payment.credit_reserved
            assert run(desk.pay(payment)).status == "paid"
            self.start(payment, desk.now)
            self.look()

        @precondition(lambda self: self.model is not None)
        @rule(at_once=st.booleans())
        def renew(self, at_once: bool) -> None:
            model = self.now()
            plan = model.scheduled or model.plan
            amount, used = self.split(PRICES[plan], Purpose.RENEWAL)
            try:
                payment = run(desk.do(renewing.renew, self.reference, actor="api:test")).payment
            except Conflict as refused:
                ahead = len(model.plans) - model.number
                rightly = ahead == 2 if refused.code == "paid_ahead" else model.status in ("cancelled", "expired")
                assert rightly, refused.code  # noqa: PT017 - whether it is refused is what the model tells
                return
            if payment is None:
                assert amount == 0
                model.plans.append(plan)
                model.payers.append(None)
                self.look()
                self.credit -= used
                model.pass_to(desk.now)
                return
            shown_again = payment.id in self.asked
            assert shown_again or (payment.amount.minor, payment.credit_reserved) == (amount, used)
            self.look()
            if at_once:
                self.settle(self.asked[payment.id], desk.now)

        @precondition(lambda self: self.model is not None)
        @rule(number=plan_numbers, at_once=st.booleans())
        def upgrade(self, number: int, at_once: bool) -> None:
            model, plan = self.now(), self.code(number)
            cost = model.difference(plan, desk.now)
            price = max(0, floor(cost + Fraction(1, 2)))
            amount, used = self.split(price, Purpose.UPGRADE)
            if not amount:
                _, used = self.split(price, Purpose.UPGRADE, Purpose.RENEWAL)
            try:
                payment = run(desk.do(plan_changes.upgrade, self.reference, plan, actor="api:test")).payment
            except Conflict as refused:
                same = (refused.code == "same_plan") == (plan == model.plan)
                rightly = model.status != "active" or (same and PRICES[plan] <= PRICES[model.plan])
                assert rightly, refused.code  # noqa: PT017 - whether it is refused is what the model tells
                return
            self.look()
            if payment is None:
                assert amount == 0
                self.credit -= used
                model.waives(max(Fraction(0), cost - used))
                model.switch(plan)
                return
            assert (payment.amount.minor, payment.credit_reserved) == (amount, used)
            if at_once:
                self.settle(self.asked[payment.id], desk.now)

        @precondition(lambda self: self.model is not None)
        @rule(number=plan_numbers, at_once=st.booleans())
        def downgrade(self, number: int, at_once: bool) -> None:
            model, plan = self.now(), self.code(number)
            try:
                run(desk.do(plan_changes.downgrade, self.reference, plan, at_once=at_once, actor="api:test"))
            except Conflict as refused:
                fits = PRICES[plan] <= PRICES[model.plan] and plan != model.plan
                rightly = model.status != "active" or not fits or refused.code == "already_paid"
                assert rightly, refused.code  # noqa: PT017 - whether it is refused is what the model tells
                return
            if at_once:
                saved = -model.difference(plan, desk.now)
                model.waives(Fraction(0))
                earned = max(0, floor(saved - model.waived))
                model.waives(-saved)
                model.earned += earned
                self.credit += earned
                model.switch(plan)
            else:
                model.scheduled = None if plan == model.plan else plan
            self.look()

        @precondition(lambda self: self.model is not None)
        @rule(at_once=st.sampled_from([False, False, False, True]))
        def cancel(self, at_once: bool) -> None:
            model = self.now()
            try:
                run(desk.do(cancelling.cancel, self.reference, at_once=at_once, reason=None, actor="api:test"))
            except Conflict:
                assert model.status in ("cancelled", "expired")
                return
            model.end = desk.now if at_once else max(desk.now, model.paid_through)
            self.look()

        @precondition(lambda self: self.model is not None)
        @rule()
        def resume(self) -> None:
            model = self.now()
            try:
                run(desk.do(cancelling.resume, self.reference, actor="api:test"))
            except Conflict:
                assert model.status != "cancelled"
                return
            model.end = None

        # What payers do with a QR that they were shown before, and what operators do

        @precondition(lambda self: self.asked)
        @rule(which=st.integers(0, 1), in_time=st.booleans())
        def pay(self, which: int, in_time: bool) -> None:
            """Sent now, or in time and only seen now."""
            asked = list(self.asked.values())[which % len(self.asked)]
            sent = asked.payment.created_at + timedelta(minutes=1)
            self.settle(asked, min(desk.now, sent) if in_time else desk.now)

        @precondition(lambda self: self.closed)
        @rule(which=st.integers(0, 3))
        def pay_what_was_cancelled(self, which: int) -> None:
            payment_id = list(self.closed)[which % len(self.closed)]
            payment = self.closed.pop(payment_id).payment
            assert run(desk.pay(payment)).status == "review"
            self.to_review(payment)

        def settle(self, asked: Asked, sent_at: datetime) -> None:
            """What a payment does once its money is seen. Whatever it buys, the credit set aside is spent with it."""
            model, payment = self.now(), asked.payment
            ahead = len(model.plans) - model.number
            del self.asked[payment.id]
            status = run(desk.pay(payment, sent_at=sent_at)).status
            if payment.purpose is Purpose.UPGRADE:
                fits = True
            elif model.status == "expired":
                fits = model.end is None
            else:
                fits = payment.plan == (model.scheduled or model.plan) and ahead < 2
            if sent_at > payment.created_at + LATEST or not fits:
                assert status == "review"
                self.to_review(payment)
                self.credit += asked.set_aside
            elif payment.purpose is Purpose.UPGRADE and asked.stood != model.stands:
                self.credit += payment.amount.minor + asked.set_aside
                self.bought.append(Bought(payment, None, is_period=False))
            elif payment.purpose is Purpose.UPGRADE:
                model.switch(payment.plan)
                self.bought.append(Bought(payment, model, is_period=False))
            elif model.status == "expired":
                self.start(payment, sent_at)
            else:
                model.plans.append(payment.plan)
                model.payers.append(payment.id)
                self.bought.append(Bought(payment, model, is_period=True))
            self.now()
            self.look()

        @precondition(lambda self: self.bought)
        @rule(which=st.integers(0, 5), same=st.booleans())
        def pay_twice(self, which: int, same: bool) -> None:
            """One transfer seen twice is nothing; a second one is the user's."""
            payment = self.bought[which % len(self.bought)].payment
            if same:
                tx = run(desk.read(lambda c: hash_of(c, payment.id)))
                run(desk.pay(payment, tx=tx))
            else:
                run(desk.pay(payment))
                self.to_review(payment)

        @precondition(lambda self: self.bought)
        @rule(which=st.integers(0, 5), reverse=st.booleans())
        def refund(self, which: int, reverse: bool) -> None:
            bought = self.bought[which % len(self.bought)]
            if reverse and not bought.is_period and bought.model is not None:
                return  # an upgrade's: `test_refunds_in_any_order`
            self.now()
            self.bought.remove(bought)
            payment = bought.payment
            run(
                desk.do(reviews.record_refund, payment.reference, refund_reference="FT1", reverse=reverse, operator="o")
            )
            self.look()
            if not reverse:
                return
            if bought.model is None:
                self.credit -= min(payment.amount.minor, self.credit)
                return
            model = bought.model
            index = model.payers.index(payment.id)
            total = payment.amount.minor + payment.credit_reserved
            is_over = model.status == "expired" or model.anchor + (index + 1) * PERIOD <= desk.now
            if is_over:
                surplus = min(payment.amount.minor, total - PRICES[model.plans[index]])
            else:
                self.credit += payment.credit_reserved
                surplus = total - PRICES[model.plans[-1]]
            taken = max(0, min(surplus, model.earned, self.credit))
            model.earned -= taken
            self.credit -= taken
            if is_over:
                return
            if len(model.plans) > model.number:
                del model.payers[index]
                model.plans.pop()
                if model.end is not None:
                    model.end = model.paid_through
            else:
                model.end = desk.now

        # What has to be so

        @precondition(lambda self: self.model is not None)
        @invariant()
        def the_service_says_what_the_model_says(self) -> None:
            model, found = self.now(), run(desk.tick(self.user))
            self.look()  # an expired subscription's upgrade was superseded
            assert (found.status, found.plan.code, found.period_number, found.last_paid_period) == (
                model.status, model.plan, model.number, len(model.plans),
            )  # fmt: skip
            assert (found.anchor_at, found.entitled_until) == (model.anchor, model.entitled_until)
            assert (found.scheduled_plan and found.scheduled_plan.code) == model.scheduled
            assert run(desk.credit(self.user, self.currency)) == self.credit >= 0

        @precondition(lambda self: self.model is not None)
        @invariant()
        def the_last_event_says_what_is(self) -> None:
            """Until when the user is served, says the newest event that was told."""
            events = run(desk.events(self.reference))
            told = events[-1]["entitled_until"]
            assert told == moment(run(desk.of(self.user)).entitled_until)

        def teardown(self) -> None:
            if self.model is not None:
                found = run(desk.read(lambda c: list(invariants.violations(c, subscription_grace=GRACE, now=desk.now))))
                assert [each for each in found if each.invariant in HELD] == []

    return Life


HELD = ("I1", "I2", "I3", "I4", "I5", "I9", "I10", "I11")


def hash_of(connection: Any, payment_id: int) -> str:
    """The transfer that was applied to a payment."""
    return next(each.tx_hash for each in receipts.of_payment(connection, payment_id) if each.disposition == "applied")


@pytest.mark.parametrize("runs", [RUNS, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(0)])])
def test_the_service_never_differs_from_what_was_paid_for(database_url: str, desk_class: Any, runs: int) -> None:
    with asyncio.Runner() as runner:
        desk = desk_class(connect(database_url))
        runner.run(desk.executor.start())

        def restart() -> None:
            runner.run(desk.executor.close())
            desk.executor = connect(database_url)
            runner.run(desk.executor.start())

        try:
            runner.run(desk.sell())
            runner.run(desk.do(plans.offer, TWIN, actor="api:test"))
            run_state_machine_as_test(
                a_machine(runner.run, desk, count(), restart),
                settings=settings(
                    max_examples=runs,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    database=None,
                ),
            )
        finally:
            runner.run(desk.executor.close())
