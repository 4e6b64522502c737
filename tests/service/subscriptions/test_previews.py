"""A preview of a change of plan tells what the change moves, to the cent, whatever happened to the subscription before.

Each change is made in a transaction that is rolled back, so one life of a subscription tries all of them.
"""

import asyncio
import os
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from bakong_service.domain.errors import Conflict
from bakong_service.domain.money import Money
from bakong_service.domain.plan import PlanTerms
from bakong_service.operations.ledger import moving
from bakong_service.operations.payments import reviews
from bakong_service.operations.subscriptions import boundaries, plan_changes, plans, renewing
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.resources.subscriptions import Moves
from bakong_service.storage.engine.executor import connect
from bakong_service.storage.schema import ledger_balances
from bakong_service.storage.subscriptions import periods
from kit.till import PLANS as SOLD
from kit.till import Till

RUNS = int(os.environ.get("MACHINE_RUNS", "25"))
PLANS = ("PREMIUM", "FAMILY_PREMIUM", "BUSINESS")

steps = st.one_of(
    st.tuples(st.just("upgrade"), st.sampled_from(PLANS)),
    st.tuples(st.just("renew"), st.none()),
    st.tuples(st.just("price"), st.tuples(st.sampled_from(PLANS), st.integers(1, 300))),
    st.tuples(st.just("refund in place"), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.integers(1, 20)),
)


class User:
    """One user, and what they paid and didn't get back."""

    def __init__(self, desk: Till, name: str) -> None:
        self.desk, self.name, self.paid = desk, name, list[Any]()

    async def take(self, step: tuple[str, Any]) -> None:
        """Take a step. Each payment that it asks for is paid."""
        desk, (what, which) = self.desk, step
        asked = None
        match what:
            case "new":
                asked = await desk.buy(which, self.name)
            case "renew":
                asked = (await desk.do(renewing.renew, (await desk.of(self.name)).reference)).payment
            case "upgrade":
                asked = (await desk.do(plan_changes.upgrade, (await desk.of(self.name)).reference, which)).payment
            case "price":
                code, minor = which
                await desk.do(plans.offer, PlanTerms(code=code, name=code, price=Money(minor, "USD")))
            case "wait":
                desk.later(days=which)
            case _ if self.paid:
                payment = self.paid.pop(which % len(self.paid))
                await desk.do(reviews.record_refund, payment.reference, refund_reference="FT1", reverse=False)
        if asked is not None:
            self.paid.append(await desk.pay(asked))


def amounts(connection: Connection) -> dict[str, int]:
    """Return what each kind of account holds."""
    kinds = select(ledger_balances.c.account, func.sum(ledger_balances.c.minor).label("minor")).group_by(
        ledger_balances.c.account
    )
    return {row.account: int(row.minor) for row in connection.execute(kinds)}


def held(connection: Connection, subscription: Any) -> dict[int, int]:
    """Return what each period of a subscription holds, by its number."""
    paid = periods.from_number(connection, subscription.id, subscription.period_number)
    balance = select(func.sum(ledger_balances.c.minor)).where(ledger_balances.c.account == "period")
    found = {
        each.number: connection.execute(balance.where(ledger_balances.c.holder == str(each.id))).scalar_one()
        for each in paid
    }
    return {number: int(minor or 0) for number, minor in found.items()}


def told_and_done(work: UnitOfWork, reference: str, plan: str) -> tuple[Moves, dict[str, int]] | None:
    """Return what a preview says of a change at once, and what the change does; None if it has to be paid first."""
    try:
        told = plan_changes.preview_downgrade(work, reference, plan, at_once=True).moves
        change: Any = lambda: plan_changes.downgrade(work, reference, plan, at_once=True)  # noqa: E731
    except Conflict:
        told = plan_changes.preview_upgrade(work, reference, plan).moves
        change = lambda: plan_changes.upgrade(work, reference, plan)  # noqa: E731
        if told.from_payment != "0.00":
            return None
    subscription = boundaries.hold(work, reference)
    moving.serve(work, subscription)
    before, before_by_period = amounts(work.connection), held(work.connection, subscription)
    change()
    after, by_period = amounts(work.connection), held(work.connection, subscription)
    done = {kind: after.get(kind, 0) - before.get(kind, 0) for kind in after}
    moved = {number: by_period[number] - minor for number, minor in before_by_period.items()}
    done["told of periods"] = sum(abs(cents(each.amount) - moved[each.period]) for each in told.periods)
    done["moved by periods"] = sum(abs(minor) for minor in moved.values()) if not told.periods else 0
    return told, done


def cents(amount: str) -> int:
    return round(float(amount) * 100)


@pytest.mark.uncounted
@pytest.mark.timeout(600)
def test_a_preview_tells_what_the_change_moves(sqlite_url: str) -> None:
    """Reckoning is the same on both databases; SQLite is the faster one."""
    with asyncio.Runner() as runner:
        executor = connect(sqlite_url)
        runner.run(executor.start())
        desk, names = Till(executor), count()

        async def life(first: str, steps: list[tuple[str, Any]]) -> None:
            await desk.do(plans.ensure_defaults, SOLD)
            user = User(desk, f"user {next(names)}")
            for step in [("new", first), *steps]:
                try:
                    await user.take(step)
                except Conflict:
                    continue
            for plan in PLANS:
                try:
                    found = await desk.rehearse(told_and_done, (await desk.of(user.name)).reference, plan)
                except Conflict:
                    continue
                if found is not None:
                    told, done = found
                    to_credit, from_credit = cents(told.to_credit), cents(told.from_credit)
                    assert done.get("credit", 0) + done.get("set_aside", 0) == to_credit - from_credit
                    assert done["told of periods"] == done["moved by periods"] == 0
                    freed = -sum(cents(each.amount) for each in told.periods)
                    assert done.get("gift", 0) == freed + from_credit - to_credit
                    assert done.get("outside", 0) == done.get("served", 0) == done.get("lost", 0) == 0

        @settings(max_examples=RUNS, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.sampled_from(PLANS), st.lists(steps, min_size=1, max_size=7))
        @example("BUSINESS", [("wait", 10), ("refund in place", 0), ("renew", None), ("price", ("PREMIUM", 7))])
        @example("PREMIUM", [("upgrade", "BUSINESS"), ("wait", 7), ("refund in place", 0), ("wait", 4)])
        @example("PREMIUM", [("upgrade", "BUSINESS"), ("wait", 7), ("refund in place", 1), ("wait", 4)])
        @example("FAMILY_PREMIUM", [("renew", None), ("refund in place", 1), ("upgrade", "BUSINESS"), ("wait", 3)])
        @example("PREMIUM", [("price", ("PREMIUM", 300)), ("renew", None), ("refund in place", 1), ("wait", 9)])
        @example("PREMIUM", [("price", ("PREMIUM", 300)), ("renew", None), ("refund in place", 0), ("wait", 9)])
        def any_life(first: str, steps: list[tuple[str, Any]]) -> None:
            runner.run(life(first, steps))

        try:
            any_life()
        finally:
            runner.run(executor.close())
