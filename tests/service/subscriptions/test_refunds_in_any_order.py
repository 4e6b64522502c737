"""Whatever was bought, changed and paid by credit, a refund with `reverse` leaves nobody with more than they paid for.

All of it happens within a minute, so that every paid period is worth its plan's price: what a user has can be counted.
"""

import asyncio
import os
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bakong_service.domain.errors import Conflict
from bakong_service.operations import cancelling, plan_changes, renewing, reviews
from bakong_service.storage import credit_entries, invariants, periods, subscriptions
from bakong_service.storage.executor import connect

RUNS = int(os.environ.get("MACHINE_RUNS", "40"))
PLANS = ("PREMIUM", "FAMILY_PREMIUM", "BUSINESS")

steps = st.one_of(
    st.tuples(st.sampled_from(["new", "upgrade", "downgrade", "downgrade now"]), st.sampled_from(PLANS)),
    st.tuples(st.sampled_from(["renew", "cancel now"]), st.none()),
    st.tuples(st.just("refund"), st.integers(0, 5)),
)


class User:
    """One user, what they paid and got back, and what they have."""

    def __init__(self, desk: Any, name: str) -> None:
        self.desk, self.name = desk, name
        self.paid: list[Any] = []
        self.rounded = 0  # a downgrade is rounded down: it may cost a cent

    async def take(self, step: tuple[str, Any]) -> None:
        """Ask for something, and pay for it where a payment is asked for."""
        what, which = step
        desk, named = self.desk, {"actor": "api:test"}
        desk.after(seconds=1)
        if what == "refund":
            await self.refund(which)
            return
        if what == "new":
            self.paid.append(await desk.pay(await desk.buy(which, self.name)))
            return
        reference = (await desk.of(self.name)).reference
        match what:
            case "renew":
                asked = (await desk.do(renewing.renew, reference, **named)).payment
            case "upgrade":
                asked = (await desk.do(plan_changes.upgrade, reference, which, **named)).payment
            case "cancel now":
                await desk.do(cancelling.cancel, reference, at_once=True, reason=None, **named)
                return
            case _:
                self.rounded += 1
                await desk.do(plan_changes.downgrade, reference, which, at_once=what.endswith("now"), **named)
                return
        if asked is not None:
            self.paid.append(await desk.pay(asked))

    async def refund(self, which: int) -> None:
        """All of a payment is sent back: so much is taken, but for what was spent or given up before."""
        if not self.paid:
            return
        payment = self.paid.pop(which % len(self.paid))
        before, given_up = await self.worth(), await self.desk.read(self.given_up, payment)
        await self.desk.do(
            reviews.record_refund, payment.reference, refund_reference="FT1", reverse=True, operator="operator:dara"
        )
        taken = before - await self.worth()
        if taken < payment.amount.minor - given_up - self.rounded:
            assert await self.desk.credit(self.name) <= self.rounded

    def given_up(self, connection: Any, payment: Any) -> int:
        """What a payment bought of a subscription that its user has ended: that can't be taken any more."""
        bought = periods.bought_by(connection, payment.id)
        live = subscriptions.live_of(connection, self.name)
        is_over = live is None or live.reference != payment.subscription
        return bought.plan.price.minor if bought is not None and is_over else 0

    async def worth(self) -> int:
        """The credit, and the price of the plan in force for each period that is paid."""

        def query(connection: Any) -> int:
            live = subscriptions.live_of(connection, self.name)
            paid = [] if live is None else periods.from_number(connection, live.id, live.period_number)
            return credit_entries.balance(connection, self.name, "USD") + sum(each.plan.price.minor for each in paid)

        return int(await self.desk.read(query))


@pytest.mark.parametrize("runs", [RUNS, pytest.param(3000, marks=[pytest.mark.slow, pytest.mark.timeout(0)])])
def test_a_refund_takes_what_was_sent_back_in_any_order(database_url: str, desk_class: Any, runs: int) -> None:
    with asyncio.Runner() as runner:
        executor = connect(database_url)
        runner.run(executor.start())
        desk, names = desk_class(executor), count()
        runner.run(desk.sell())

        async def life(first: str, bought: list[tuple[str, Any]]) -> None:
            user = User(desk, f"user {next(names)}")
            for step in [("new", first), *bought]:
                try:
                    await user.take(step)
                except Conflict:
                    continue
            found = await desk.read(
                lambda c: list(
                    invariants.violations(c, subscription_grace=desk.business.subscriptions.grace, now=desk.now)
                )
            )
            assert [each for each in found if each.invariant in ("I3", "I4", "I5", "I9", "I10", "I11")] == []

        @settings(max_examples=runs, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.sampled_from(PLANS), st.lists(steps, max_size=12))
        def any_life(first: str, bought: list[tuple[str, Any]]) -> None:
            runner.run(life(first, bought))

        try:
            any_life()
        finally:
            runner.run(executor.close())
