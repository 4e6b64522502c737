"""The service beside the law: whatever people do and in whatever order, amounts and times are what the law says.

The law (`law.py`) was written without a look at the service. It is told what was done, never what came of it: where a
payment's money is, what a user may spend, what each period holds and until when a user is served are compared after
every step.
CI runs the short form on both databases, 100 lives on SQLite and 10 on PostgreSQL, `nox -s fuzz` the long one;
`MACHINE_RUNS` sets another number of runs.
"""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from attrs import define, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection, select

from bakong_service.domain import ledger as accounts
from bakong_service.domain.errors import Refused
from bakong_service.domain.identifiers import Identifiers
from bakong_service.domain.ledger import AccountKind
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import NewPayment, Payment, Purpose
from bakong_service.domain.plan import PlanTerms
from bakong_service.operations.ledger import credit, moving
from bakong_service.operations.payments import requests as operations
from bakong_service.operations.payments import reviews, settling, whereabouts
from bakong_service.operations.subscriptions import boundaries, cancelling, plan_changes, plans, renewing
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage import schema
from bakong_service.storage.checks import invariants
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.ledger import period_values
from bakong_service.storage.payments import payments as rows
from bakong_service.storage.payments import receipts
from bakong_service.storage.payments import reviews as queue
from bakong_service.storage.subscriptions import periods, subscriptions
from kit.business import ACCOUNT, a_business
from kit.patience import patient
from service.value.law import PERIOD, Law, Period, Subscription, credit_of

RUNS = int(os.environ.get("MACHINE_RUNS", "100"))
# Each takes twice as long there. What differs there is SQL, not the rules, and a thousand steps try it.
POSTGRESQL_RUNS = int(os.environ.get("MACHINE_RUNS", "10"))
STEPS = 50
START = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = timedelta(days=3)
PRICES = {
    "BASIC": (10, "USD"),
    "MIDDLE": (50, "USD"),
    "FULL": (100, "USD"),
    "RIEL": (4000, "KHR"),
    "RICH": (9900, "KHR"),
}
KINDS = {
    AccountKind.PERIOD: "held",
    AccountKind.SERVED: "served",
    AccountKind.CREDIT: "credit",
    AccountKind.SET_ASIDE: "set aside",
    AccountKind.REVIEW: "review",
    AccountKind.OUTSIDE: "returned",
    AccountKind.LOST: "lost",
}
DAY = 86_400
LEAST = {"USD": 1, "KHR": 100}


@define
class Known:
    """A payment: what the law was told of it."""

    user: str
    purpose: Purpose
    currency: str
    asked: int
    reserved: int
    plan: str | None = None
    price: int = 0
    status: str = "pending"
    applied: str = ""  # the origin whose money bought something, or became credit instead
    origins: list[str] = field(factory=list)
    reversed: bool = False


def a_machine(connection: Connection) -> type[RuleBasedStateMachine]:
    class Life(RuleBasedStateMachine):
        """One life of a shop, which nothing is left of when it is over: its transaction is rolled back."""

        def __init__(self) -> None:
            super().__init__()
            self.life = connection.begin_nested()
            self.numbers = count(1)
            self.changed = True
            # The identifiers are numbered, so that a life that is played again is the same life.
            self.business = a_business(identifiers=Identifiers(lambda bits: next(self.numbers) % 2**bits))
            self.law = Law()
            self.known: dict[int, Known] = {}
            self.sold_until: dict[str, int] = {}  # of each user, the end of what the last subscription sold
            self.prices = dict(PRICES)
            self.users = ["u", "w"]
            for code in PRICES:
                self.offer(code)

        # Doing things to the service

        @property
        def now(self) -> datetime:
            return START + timedelta(seconds=self.law.now)

        def work(self, actor: str = "api:test") -> UnitOfWork:
            return UnitOfWork(connection=connection, business=self.business, actor=actor, now=self.now)

        def do(self, operation: Callable[..., Any], *arguments: Any, actor: str = "api:test", **named: Any) -> Any:
            """Run an operation; None where it is refused. Then tell the law which payments were made and closed."""
            step = connection.begin_nested()
            try:
                done = operation(self.work(actor), *arguments, **named)
            except Refused:
                step.rollback()
                return None
            step.commit()
            self.changed = True
            return done

        def read(self, query: Callable[..., Any], *arguments: Any) -> Any:
            return query(connection, *arguments)

        def code(self, plan: str) -> str:
            return plan

        def offer(self, plan: str) -> None:
            minor, currency = self.prices[plan]
            terms = PlanTerms(code=self.code(plan), name=plan, price=Money(minor, currency))
            assert self.do(plans.offer, terms, actor="api:test")

        def of(self, user: str) -> Any:
            return self.read(subscriptions.last_of, user)

        def notice(self, user: str) -> None:
            """Tell the law which of the user's payments were closed meanwhile, and which were made for them."""

            payments = schema.payments.c
            query = select(payments.id, payments.status).where(payments.user_id == user).order_by(payments.id)
            found = connection.execute(query).all()
            for row in found:
                known = self.known.get(row.id)
                if known is not None and known.status == "pending" and row.status in ("cancelled", "timeout"):
                    self.close(row.id, row.status)
            for row in found:
                if row.id not in self.known and row.status == "pending":
                    payment = rows.by_id(connection, row.id)
                    assert payment is not None
                    self.made(payment)

        def made(self, payment: Payment) -> int:
            plan = None if payment.plan is None else payment.plan
            self.known[payment.id] = Known(
                user=payment.user_id or "", purpose=payment.purpose, currency=payment.amount.currency,
                asked=payment.amount.minor, reserved=payment.credit_reserved, plan=plan,
                price=self.prices[plan][0] if plan else 0,
            )  # fmt: skip
            user_credit = ("credit", payment.user_id, payment.amount.currency)
            self.law.move(user_credit, ("set aside", payment.id), payment.credit_reserved)
            assert payment.amount.minor >= LEAST[payment.amount.currency]
            return payment.id

        def close(self, payment_id: int, status: str) -> None:
            known, aside = self.known[payment_id], ("set aside", payment_id)
            known.status = status
            self.law.move(aside, ("credit", known.user, known.currency), self.law.held(aside))

        # What people do

        users_of = st.sampled_from([0, 1])
        codes = st.sampled_from(list(PRICES))

        @rule(user=users_of, plan=codes, at_once=st.booleans())
        def buy(self, user: int, plan: str, at_once: bool) -> None:
            who = self.users[user]
            asked = NewPayment(user_id=who, plan=self.code(plan))
            payment = self.do(operations.create, asked, actor="api:test")
            self.notice(who)
            if payment is not None and at_once:
                self.pay_for(payment.id, payment.amount)

        @rule(user=users_of)
        def buy_a_thing(self, user: int) -> None:
            who = self.users[user]
            asked = NewPayment(user_id=who, amount=Money(250, "USD"))
            payment = self.do(operations.create, asked, actor="api:test")
            self.notice(who)
            if payment is not None:
                self.pay_for(payment.id, payment.amount)

        @rule(user=users_of, at_once=st.booleans())
        def renew(self, user: int, at_once: bool) -> None:
            who, before = self.users[user], self.of(self.users[user])
            if before is None:
                return
            renewed = self.do(renewing.renew, before.reference, actor="api:test")
            self.notice(who)
            if renewed is None:
                return
            if renewed.payment is not None:
                if at_once:
                    self.pay_for(renewed.payment.id, renewed.payment.amount)
                return
            found, plan = self.law.live[who], renewed.subscription
            sold = self.read(periods.from_number, before.id, plan.last_paid_period)[0].plan.code
            price, currency = self.prices[sold]
            account = ("credit", who, currency)
            used = min(price, self.law.credit(who, currency))
            assert price - used < LEAST[currency]
            self.extend(found, sold, price, [(account, used)])

        @rule(user=users_of, plan=codes, at_once=st.booleans())
        def upgrade(self, user: int, plan: str, at_once: bool) -> None:
            self.change(self.users[user], plan, plan_changes.upgrade, dearer=True, at_once=at_once)

        @rule(user=users_of, plan=codes)
        def downgrade(self, user: int, plan: str) -> None:
            self.change(self.users[user], plan, plan_changes.downgrade, dearer=False, at_once=True)

        @rule(user=users_of, plan=codes)
        def downgrade_later(self, user: int, plan: str) -> None:
            who, before = self.users[user], self.of(self.users[user])
            if before is not None:
                self.do(plan_changes.downgrade, before.reference, self.code(plan), at_once=False, actor="api:test")
                self.notice(who)

        def change(self, who: str, plan: str, operation: Any, *, dearer: bool, at_once: bool) -> None:
            before = self.of(who)
            if before is None:
                return
            named = {} if dearer else {"at_once": True}
            changed = self.do(operation, before.reference, self.code(plan), actor="api:test", **named)
            self.notice(who)
            if changed is None:
                return
            found, (price, currency) = self.law.live[who], self.prices[plan]
            difference = sum(self.law.needs(found, price).values()) - sum(map(self.law.held, found.periods))
            payment = changed.payment if dearer else None
            if payment is not None:
                assert payment.amount.minor + payment.credit_reserved == difference
                if at_once:
                    self.pay_for(payment.id, payment.amount)
                return
            account = ("credit", who, currency)
            used = min(max(0, difference), self.law.credit(who, currency)) if dearer else 0
            assert not dearer or max(0, difference) - used < LEAST[currency]
            moves = difference <= 0 or used
            self.law.switch(found, plan, price, "", [(account, used)] if moves else None)

        @rule(user=users_of, at_once=st.sampled_from([False, False, True]))
        def cancel(self, user: int, at_once: bool) -> None:
            who, before = self.users[user], self.of(self.users[user])
            if before is None:
                return
            done = self.do(cancelling.cancel, before.reference, at_once=at_once, reason=None, actor="api:test")
            self.notice(who)
            if done is None:
                return
            found = self.law.live[who]
            found.status = "cancelled"
            if at_once:
                for period in found.periods:
                    self.law.move(period, "lost", self.law.held(period))
                found.periods.clear()
            if not found.periods:
                self.end(found, self.law.now)

        @rule(user=users_of)
        def resume(self, user: int) -> None:
            before = self.of(self.users[user])
            if before is not None and self.do(cancelling.resume, before.reference, actor="api:test"):
                self.law.live[self.users[user]].status = "active"

        @rule(plan=codes, price=st.sampled_from([1, 7, 20, 50, 99, 500]))
        def another_price(self, plan: str, price: int) -> None:
            currency = self.prices[plan][1]
            self.prices[plan] = (price if currency == "USD" else price * 100, currency)
            self.offer(plan)

        @rule(
            user=users_of, amount=st.integers(-300, 300).filter(bool), currency=st.sampled_from(["USD", "USD", "KHR"])
        )
        def give(self, user: int, amount: int, currency: str) -> None:
            who = self.users[user]
            granted = self.do(credit.grant, who, Money(amount, currency), reason="by phone", actor="operator:dara")
            if granted is None:
                assert amount < 0
                assert self.law.credit(who, currency) < -amount
            elif amount > 0:
                self.law.move("gift", ("credit", who, currency), amount, f"{granted.reference}/{currency}")
            else:
                self.law.move(("credit", who, currency), "lost", -amount)

        @rule(seconds=st.sampled_from([1, 901, 3600, DAY, 7 * DAY, 10 * DAY, PERIOD // 2, PERIOD - 1, PERIOD + 7]))
        def time_passes(self, seconds: int) -> None:
            self.law.now += seconds

            def closing(work: UnitOfWork) -> None:
                for payment_id, known in self.known.items():
                    if known.status == "pending":
                        held = rows.lock(work.connection, payment_id)
                        assert held is not None
                        settling.pass_deadline(work, held)
                for user in self.users:
                    if (found := subscriptions.last_of(work.connection, user)) is not None:
                        boundaries.apply_due(work, found.id)

            self.do(closing)
            for user in self.users:
                self.notice(user)
            for found in list(self.law.live.values()):
                self.law.serve(found)
                if found.status == "cancelled" and not found.periods:
                    self.end(found, found.until)
                else:
                    self.end_after_grace(found)

        def end_after_grace(self, found: Subscription) -> None:
            ends_at = found.until + int(GRACE.total_seconds())
            if found.status == "past_due" and self.law.now >= ends_at:
                self.end(found, ends_at)

        def end(self, found: Subscription, at: int) -> None:
            self.sold_until[found.user] = min(found.until, at)  # days of grace weren't sold
            found.status, found.until = "expired", at
            self.law.over[found.user] = self.law.live.pop(found.user)

        # Money

        @precondition(lambda self: self.known)
        @rule(
            data=st.data(),
            minor=st.sampled_from([None, None, None, 1, 75, 5000]),
            currency=st.sampled_from([None, None, None, "USD", "KHR"]),
        )
        def pay(self, data: st.DataObject, minor: int | None, currency: str | None) -> None:
            payment_id = data.draw(st.sampled_from(list(self.known)))
            known = self.known[payment_id]
            self.pay_for(payment_id, Money(minor or known.asked, currency or known.currency))

        def pay_for(self, payment_id: int, money: Money) -> None:
            known, law = self.known[payment_id], self.law
            sighting = Sighting(
                tx_hash=f"{next(self.numbers):064x}", amount=money.decimal, currency=money.currency, to_account=ACCOUNT,
                sent_at=self.now,
            )  # fmt: skip
            was = known.status
            outcome = Outcome(answer=Answer.FOUND, asked_at=self.now, sighting=sighting)
            payment = self.do(settling.settle, payment_id, outcome)
            receipt = self.read(receipts.by_hash, sighting.tx_hash)
            origin = f"{receipt.id}/{money.currency}"
            known.origins.append(origin)
            law.received[origin] = money.minor
            law.move("outside", ("review", origin), money.minor, origin)
            if payment.status == "paid" and was not in ("paid", "refunded"):
                assert (money.minor, money.currency) == (known.asked, known.currency)
                known.status, known.applied = "paid", origin
                self.take(payment, origin, self.law.now)
            elif was not in ("paid", "refunded"):
                known.status = "review"
            self.notice(known.user)

        @precondition(lambda self: any(known.origins for known in self.known.values()))
        @rule(data=st.data(), action=st.sampled_from(["accept", "credit", "refunded", "not_ours"]))
        def decide(self, data: st.DataObject, action: str) -> None:
            payment_id = data.draw(st.sampled_from([each for each, known in self.known.items() if known.origins]))
            items = self.read(lambda c: queue.of_payment(c, payment_id, only_open=True))
            if not items:
                return
            item, known, law = data.draw(st.sampled_from(items)), self.known[payment_id], self.law
            receipt = self.read(receipts.by_id, item.receipt_id)
            origin = f"{receipt.id}/{receipt.currency}"
            payment = self.do(reviews.resolve, item.reference, action=action, actor="operator:dara", note="so")
            if payment is None:
                return
            undecided, waits = known.status not in ("paid", "refunded"), ("review", origin)
            if action == "accept":
                known.status, known.applied = "paid", origin
                sent = int((receipt.sent_at - START).total_seconds())
                self.take(payment, origin, sent)
            elif action == "credit":
                law.move(waits, ("credit", known.user, receipt.currency), law.held(waits))
                if undecided:
                    self.close(payment_id, "paid")
                    known.applied = origin
            else:
                law.move(waits, "outside", law.held(waits))
                if undecided and payment.status != "review":
                    self.close(payment_id, payment.status.value)
            self.notice(known.user)

        def take(self, payment: Payment, origin: str, sent: int) -> None:
            """What was paid does what it was for, or becomes credit: which of the two, only the service decides."""
            known, law = self.known[payment.id], self.law
            self.notice(known.user)  # what the payment superseded has returned its credit
            waits, aside = ("review", origin), ("set aside", payment.id)
            if known.purpose is Purpose.ONE_OFF:
                law.move(waits, "served", law.held(waits))
                return
            missing = min(known.reserved - law.held(aside), law.credit(known.user, known.currency))
            query = select(schema.effects.c.kind).where(schema.effects.c.payment_id == payment.id)
            kind = self.read(lambda c: c.execute(query).scalar_one())
            sources: list[Any] = [(waits, law.held(waits)), (aside, law.held(aside))]
            found = law.live.get(known.user)
            if kind == "credited":
                for account, amount in sources:
                    for each in list(law.at[account]):
                        part = law.held(account, each)
                        law.move(account, credit_of(known.user, each), part, each)
                    assert amount == 0 or law.held(account) == 0
                return
            if missing:
                sources.append((("credit", known.user, known.currency), missing))
            assert known.plan is not None
            if kind == "upgraded":
                assert found is not None
                law.switch(found, known.plan, known.price, str(payment.id), sources)
            elif found is not None and kind in ("renewed", "extended"):
                self.extend(found, known.plan, known.asked + known.reserved, sources)
            else:
                assert kind == "activated"
                start = max(sent, self.sold_until.get(known.user, sent))
                found = law.live[known.user] = Subscription(known.user, known.plan, start)
                self.extend(found, known.plan, known.asked + known.reserved, sources)
                self.end_after_grace(found)  # money that an operator accepted may be older than the period it buys

        def extend(self, found: Subscription, plan: str, price: int, sources: list[Any]) -> None:
            period = Period(plan, price, found.until, found.until + PERIOD)
            found.periods.append(period)
            found.until, found.status = period.end, "active"
            self.law.fill(found.user, {period: price}, sources)
            found.plan = found.periods[0].plan
            self.law.serve(found)

        @precondition(lambda self: any(known.applied for known in self.known.values()))
        @rule(data=st.data(), reverse=st.booleans(), part=st.sampled_from([None, None, 1, 7, 30, 100]))
        def refund(self, data: st.DataObject, reverse: bool, part: int | None) -> None:
            paid = [each for each, known in self.known.items() if known.applied]
            payment_id = data.draw(st.sampled_from(paid))
            known, law = self.known[payment_id], self.law
            reference = self.read(rows.by_id, payment_id).reference
            left, currency = -law.held("outside", known.applied), known.applied.rpartition("/")[2]
            amount = None if part is None else Money(part, currency).decimal
            refunded = self.do(
                reviews.record_refund,
                reference,
                refund_reference=f"FT{next(self.numbers)}",
                reverse=reverse,
                amount=amount,
                actor="operator:dara",
            )
            if refunded is None:
                assert known.status == "refunded" or (part or 0) > left
                assert not reverse or known.reversed or known.plan is None or part is not None
                return
            part = left if part is None else part
            is_whole, later = part == left, known.status == "refunded"
            known.status = "refunded" if is_whole else "paid"
            assert refunded.status == known.status
            known.reversed = reverse and is_whole
            live = law.live.get(known.user)
            held = {period: law.held(period) for period in live.periods} if live else {}
            is_enough = not is_whole and law.held(credit_of(known.user, known.applied), known.applied) >= part
            for other_id, other in self.known.items():  # what is reduced by this money is superseded first
                if is_enough:
                    break
                origins = (known.applied, f"gift for {known.applied}")[later:]
                if other.status == "pending" and any(law.held(("set aside", other_id), each) for each in origins):
                    self.close(other_id, "cancelled")
            law.give_back(known.applied, reverse, part)
            if reverse and is_whole:
                law.take_gift(known.applied)
            if live and any(law.held(period) < value for period, value in held.items()):
                law.time_follows_value(live, str(payment_id) if is_whole else "a part", held)
                if not live.periods:
                    self.end(live, law.now)
            self.notice(known.user)

        # What has to be so

        @invariant()
        def the_service_says_what_the_law_says(self) -> None:
            if not self.changed:
                return
            self.changed = False
            self.law.check()
            for user in self.users:  # the law serves as time goes by, the service when something happens
                if (found := subscriptions.live_of(connection, user)) is not None:
                    moving.serve(self.work(), found)
            origins = {
                f"receipt:{each.partition('/')[0]}": each for known in self.known.values() for each in known.origins
            }
            told: dict[tuple[str, str], int] = {}
            for holding in ledger.of_origins(connection, origins):
                if place := KINDS.get(holding.account.kind):
                    key = (origins[holding.origin], place)
                    told[key] = told.get(key, 0) + holding.money.minor
            for origin, minor in self.law.received.items():
                told[origin, "returned"] = told.get((origin, "returned"), 0) + minor
            law = {(each, place): minor for each in origins.values() for place, minor in self.law.places(each).items()}
            assert {key: minor for key, minor in told.items() if minor} == law
            for user in self.users:
                for currency in {self.prices[plan][1] for plan in self.prices}:
                    spend = ledger.balance(connection, accounts.credit(user), currency)
                    assert spend == self.law.credit(user, currency), (user, currency)
                self.compare_times(user, subscriptions.last_of(connection, user))

        def compare_times(self, user: str, subscription: Any) -> None:
            law = self.law
            if subscription is None:
                assert user not in law.live | law.over
                return
            model = law.subscription(user)
            assert (subscription.status == "expired") == (user not in law.live)
            assert subscription.entitled_until == START + timedelta(seconds=law.entitled_until(user)), user
            if user in law.live:
                assert subscription.status == model.status
                assert subscription.plan.code == self.code(model.plan)
                assert subscription.periods_ahead == max(0, len(model.periods) - 1)

        def teardown(self) -> None:
            for payment_id, known in self.known.items():
                payment = rows.by_id(connection, payment_id)
                assert payment is not None
                told = whereabouts.of_payment(connection, payment, now=self.now)
                came = [each for each in known.origins if each.endswith(known.currency)]
                assert told.received == str(Money(sum(map(self.law.received.__getitem__, came)), known.currency))
            found = [
                *invariants.violations(connection, subscription_grace=GRACE, now=self.now),
                *period_values.astray(connection, now=self.now),
            ]
            self.life.rollback()
            held = ("I1", "I2", "I3", "I4", "I5", "I9", "I10", "I11")
            assert [each for each in found if each.invariant in held] == []

    return Life


@pytest.mark.uncounted
@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(RUNS, marks=pytest.mark.timeout(900)),
        pytest.param(5000, marks=[pytest.mark.slow, pytest.mark.timeout(0)]),
    ],
)
def test_the_service_never_differs_from_the_law(database_url: str, runs: int) -> None:
    if runs == RUNS and database_url.startswith("postgresql"):
        runs = POSTGRESQL_RUNS
    with asyncio.Runner() as runner:
        executor = patient(database_url)
        runner.run(executor.start())

        def lives(connection: Connection) -> None:
            run_state_machine_as_test(
                a_machine(connection),
                settings=settings(
                    max_examples=runs,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    database=None,
                ),
            )

        try:
            runner.run(executor.run(lives))
        finally:
            runner.run(executor.close())
