"""Whatever was bought, changed and paid by credit, a refund with `reverse` leaves nobody with more than they paid for.

All of it happens within a minute, so that service uses up less than a cent: what a user has can be counted.
"""

import asyncio
import os
from collections import Counter
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from bakong_service.domain.errors import Conflict
from bakong_service.domain.ledger import AccountKind, gift_origin, receipt_origin
from bakong_service.domain.payment import Payment
from bakong_service.domain.value import need
from bakong_service.operations.payments import reviews
from bakong_service.operations.subscriptions import cancelling, plan_changes, renewing
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.payments import receipts
from bakong_service.storage.subscriptions import periods, subscriptions
from kit.patience import patient
from kit.till import Till, a_desk

RUNS = int(os.environ.get("MACHINE_RUNS", "40"))
# Each takes twice as long there. What differs there is SQL, not the rules, and twenty lives try it.
POSTGRESQL_RUNS = int(os.environ.get("MACHINE_RUNS", "20"))
PLANS = ("PREMIUM", "FAMILY_PREMIUM", "BUSINESS")

steps = st.one_of(
    st.tuples(st.sampled_from(["new", "upgrade", "downgrade", "downgrade now"]), st.sampled_from(PLANS)),
    st.tuples(st.sampled_from(["renew", "cancel now"]), st.none()),
    st.tuples(st.sampled_from(["refund", "refund in place"]), st.integers(0, 5)),
)


class User:
    """One user, what they paid and got back, and what they have."""

    def __init__(self, desk: Till, name: str) -> None:
        self.desk, self.name = desk, name
        self.paid: list[Any] = []
        self.refunded: list[Any] = []
        self.reversed: list[Any] = []

    async def take(self, step: tuple[str, Any]) -> None:
        """Ask for something, and pay for it where a payment is asked for."""
        what, which = step
        desk = self.desk
        desk.later(seconds=1)
        if what.startswith("refund"):
            await self.refund(which, reverse=what == "refund")
            return
        if what == "new":
            self.paid.append(await desk.pay(await desk.buy(which, self.name)))
            return
        reference = (await desk.of(self.name)).reference
        match what:
            case "renew":
                asked = (await desk.do(renewing.renew, reference)).payment
            case "upgrade":
                asked = (await desk.do(plan_changes.upgrade, reference, which)).payment
            case "cancel now":
                await desk.do(cancelling.cancel, reference, at_once=True, reason=None)
                return
            case _:
                await desk.do(plan_changes.downgrade, reference, which, at_once=what.endswith("now"))
                return
        if asked is not None:
            self.paid.append(await desk.pay(asked))

    async def refund(self, which: int, *, reverse: bool) -> None:
        """Send all of a payment back; one that left the service in place may be reversed later."""
        candidates = self.paid + (self.refunded if reverse else [])
        if not candidates:
            return
        payment = candidates[which % len(candidates)]
        await self.desk.do(
            reviews.record_refund, payment.reference, refund_reference="FT1", reverse=reverse, actor="operator:dara"
        )
        for each in (self.paid, self.refunded):
            if payment in each:
                each.remove(payment)
        (self.reversed if reverse else self.refunded).append(payment)

    def where(self, connection: Connection, payment: Payment) -> Counter[str]:
        """Return how much of a payment, or of the gift that took its place, each kind of account holds."""
        origins = [gift_origin(payment.reference)]
        origins += [receipt_origin(each.id) for each in receipts.of_payment(connection, payment.id)]
        found: Counter[str] = Counter()
        for holding in ledger.of_origins(connection, origins):
            found[holding.account.kind.value] += holding.money.minor
        return found

    def check(self, connection: Connection) -> None:
        """Every cent that was paid is in one place, and nobody has more time than it pays for."""
        held: Counter[str] = Counter()
        for payment in self.paid:
            places = self.where(connection, payment)
            assert places.pop(AccountKind.OUTSIDE) == -payment.amount.minor
            assert sum(places.values()) == payment.amount.minor
            held += places
        for payment in self.refunded:
            places = self.where(connection, payment)
            assert places[AccountKind.GIFT] <= 0
            assert not {AccountKind.CREDIT, AccountKind.SET_ASIDE} & set(places)
            held += places
        for payment in self.reversed:
            assert set(self.where(connection, payment)) <= {AccountKind.SERVED, AccountKind.LOST, AccountKind.GIFT}
        live = subscriptions.live_of(connection, self.name)
        bought = [] if live is None else periods.from_number(connection, live.id, live.period_number)
        prices = [need(period, period.plan, self.desk.now) for period in bought]
        assert sum(prices) <= held[AccountKind.PERIOD] + len(prices)  # each may be rounded up


@pytest.mark.uncounted
@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(RUNS, marks=pytest.mark.timeout(600)),
        pytest.param(3000, marks=[pytest.mark.slow, pytest.mark.timeout(0)]),
    ],
)
def test_a_refund_takes_what_was_sent_back_in_any_order(database_url: str, runs: int) -> None:
    if runs == RUNS and database_url.startswith("postgresql"):
        runs = POSTGRESQL_RUNS
    with asyncio.Runner() as runner:
        executor = patient(database_url)
        runner.run(executor.start())
        desk, names = runner.run(a_desk(executor)), count()

        async def life(first: str, bought: list[tuple[str, Any]]) -> None:
            user = User(desk, f"user {next(names)}")
            for step in [("new", first), *bought]:
                try:
                    await user.take(step)
                except Conflict:
                    continue
            await desk.read(user.check)
            found = await desk.violations()
            told = ("I1", "I2", "I3", "I4", "I5", "I9", "I10", "I11")
            assert [each for each in found if each.invariant in told] == []

        @settings(max_examples=runs, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.sampled_from(PLANS), st.lists(steps, min_size=2, max_size=12))
        @example("FAMILY_PREMIUM", [("downgrade now", "PREMIUM"), ("refund", 0)])
        @example("FAMILY_PREMIUM", [("renew", None), ("refund in place", 1), ("refund", 1)])
        @example("PREMIUM", [("upgrade", "FAMILY_PREMIUM"), ("upgrade", "BUSINESS"), ("refund", 1), ("refund", 0)])
        def any_life(first: str, bought: list[tuple[str, Any]]) -> None:
            runner.run(life(first, bought))

        try:
            any_life()
        finally:
            runner.run(executor.close())
