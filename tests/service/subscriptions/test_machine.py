"""Random lives of a subscription, against a model that knows nothing but what was paid for and when.

CI runs the short form on both databases; `MACHINE_RUNS` sets another number of lives.
"""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count
from math import floor
from typing import Any

from attrs import define
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bakong_service.domain.errors import Conflict
from bakong_service.operations import cancelling, plan_changes, renewing
from bakong_service.storage import invariants
from bakong_service.storage.executor import connect

RUNS = int(os.environ.get("MACHINE_RUNS", "15"))
STEPS = 40

PRICES = {"PREMIUM": 50, "FAMILY_PREMIUM": 100, "BUSINESS": 250}
START = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD, GRACE = timedelta(days=30), timedelta(days=3)

plan_codes = st.sampled_from(sorted(PRICES))


@define
class Model:
    """One user: what was paid for, what was stopped, and what follows from the moment alone."""

    anchor: datetime
    plans: list[str]  # in force, by period
    credit: int
    scheduled: str | None = None
    number: int = 1
    cancelled: bool = False
    end: datetime | None = None  # where it is cancelled
    status: str = "active"

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


def a_machine(run: Callable[[Any], Any], desk: Any, users: Any) -> type[RuleBasedStateMachine]:
    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.user = f"user {next(users)}"
            desk.at(START)
            self.model: Model | None = None
            self.paid = 0

        @property
        def reference(self) -> str:
            return str(run(desk.of(self.user)).reference)

        def buy(self, price: int, payment: Any) -> None:
            """The user pays what the QR asks for: the price less the credit there was."""
            assert self.model is not None
            assert payment.amount.minor + payment.credit_reserved == price
            self.model.credit -= payment.credit_reserved
            self.paid += payment.amount.minor
            assert run(desk.pay(payment)).status == "paid"

        @rule(days=st.integers(0, 45), seconds=st.integers(0, 86_399))
        def time_passes(self, days: int, seconds: int) -> None:
            desk.after(days=days, seconds=seconds)

        @rule(plan=plan_codes)
        def begin(self, plan: str) -> None:
            if self.model is not None and self.now().status != "expired":
                return
            desk.after(seconds=1)  # two subscriptions of one user don't begin in one millisecond
            payment = run(desk.buy(plan, self.user))
            credit = 0 if self.model is None else self.model.credit
            assert payment.credit_reserved == min(credit, PRICES[plan] - 1)
            starts_at = desk.now if self.model is None else max(desk.now, self.model.days_sold_until)
            self.model = Model(anchor=starts_at, plans=[plan], credit=credit)
            self.buy(PRICES[plan], payment)

        def now(self) -> Model:
            assert self.model is not None
            self.model.pass_to(desk.now)
            return self.model

        @precondition(lambda self: self.model is not None)
        @rule()
        def renew(self) -> None:
            model = self.now()
            try:
                payment = run(desk.do(renewing.renew, self.reference, actor="api:test")).payment
            except Conflict as refused:
                ahead = len(model.plans) - model.number
                rightly = ahead == 2 if refused.code == "paid_ahead" else model.status in ("cancelled", "expired")
                assert rightly, refused.code  # noqa: PT017 - whether it is refused is what the model tells
                return
            plan = model.scheduled or model.plan
            model.plans.append(plan)
            if payment is None:
                model.credit -= PRICES[plan]
            else:
                self.buy(PRICES[plan], payment)
            model.pass_to(desk.now)

        @precondition(lambda self: self.model is not None)
        @rule(plan=plan_codes)
        def upgrade(self, plan: str) -> None:
            model = self.now()
            try:
                asked = run(desk.do(plan_changes.upgrade, self.reference, plan, actor="api:test"))
            except Conflict:
                assert model.status != "active" or PRICES[plan] <= PRICES[model.plan]
                return
            price = floor(model.difference(plan, desk.now) + Fraction(1, 2))
            if asked.payment is None:
                assert model.credit >= price
                model.credit -= price
            else:
                self.buy(price, asked.payment)
            model.switch(plan)

        @precondition(lambda self: self.model is not None)
        @rule(plan=plan_codes, at_once=st.booleans())
        def downgrade(self, plan: str, at_once: bool) -> None:
            model = self.now()
            try:
                run(desk.do(plan_changes.downgrade, self.reference, plan, at_once=at_once, actor="api:test"))
            except Conflict as refused:
                cheaper = PRICES[plan] < PRICES[model.plan]
                rightly = model.status != "active" or not cheaper or refused.code == "already_paid"
                assert rightly, refused.code  # noqa: PT017 - whether it is refused is what the model tells
                return
            if at_once:
                model.credit += floor(-model.difference(plan, desk.now))
                model.switch(plan)
            else:
                model.scheduled = None if plan == model.plan else plan

        @precondition(lambda self: self.model is not None)
        @rule(at_once=st.booleans())
        def cancel(self, at_once: bool) -> None:
            model = self.now()
            try:
                run(desk.do(cancelling.cancel, self.reference, at_once=at_once, reason=None, actor="api:test"))
            except Conflict:
                assert model.status in ("cancelled", "expired")
                return
            model.end = desk.now if at_once else max(desk.now, model.paid_through)

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

        @precondition(lambda self: self.model is not None)
        @invariant()
        def the_service_says_what_the_model_says(self) -> None:
            model, found = self.now(), run(desk.tick(self.user))
            assert (found.status, found.plan.code, found.period_number, found.last_paid_period) == (
                model.status, model.plan, model.number, len(model.plans),
            )  # fmt: skip
            assert (found.anchor_at, found.entitled_until) == (model.anchor, model.entitled_until)
            assert (found.scheduled_plan and found.scheduled_plan.code) == model.scheduled
            assert run(desk.credit(self.user)) == model.credit >= 0

        def teardown(self) -> None:
            if self.model is not None:
                found = run(desk.read(lambda c: list(invariants.violations(c, subscription_grace=GRACE, now=desk.now))))
                assert [each for each in found if each.invariant in ("I3", "I4", "I5", "I9", "I10", "I11")] == []

    return Life


def test_the_service_never_differs_from_what_was_paid_for(database_url: str, desk_class: Any) -> None:
    with asyncio.Runner() as runner:
        executor = connect(database_url)
        runner.run(executor.start())
        try:
            desk = desk_class(executor)
            runner.run(desk.sell())
            run_state_machine_as_test(
                a_machine(runner.run, desk, count()),
                settings=settings(
                    max_examples=RUNS,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    database=None,
                ),
            )
        finally:
            runner.run(executor.close())
