"""A shop for as long as Hypothesis likes: payers, subscribers, outages, restarts, operators and webhooks in any order,
beside a small model.

The model knows what was paid when, and nothing of how the service works. Amounts are held against the law of value in
`tests/service/value`. CI runs the short form on both databases, 25 shops on SQLite and 10 on PostgreSQL; `MACHINE_RUNS`
sets another number of runs.
"""

import asyncio
import json
import os
import random
import shutil
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)  # fmt: skip
from sqlalchemy import Connection, func, select, text

from bakong_service.domain.delivery import AttemptResult
from bakong_service.domain.endpoint import EndpointState, NewEndpoint, TargetPolicy
from bakong_service.domain.errors import Refused
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.domain.plan import PlanTerms
from bakong_service.operations.business import Business
from bakong_service.operations.subscriptions import boundaries, cancelling, plan_changes, plans, renewing
from bakong_service.operations.webhooks import endpoints
from bakong_service.storage import schema
from bakong_service.storage.payments import claims
from bakong_service.storage.payments import payments as rows
from bakong_service.storage.subscriptions import subscriptions
from bakong_service.storage.webhooks import endpoints as endpoint_rows
from bakong_service.webhooks.sender import Sender
from bakong_service.workers.delivery import Deliverer
from bakong_service.workers.dispatch import Dispatcher
from kit.patience import patient
from kit.there import there
from kit.till import Till

S = PaymentStatus
RUNS = int(os.environ.get("MACHINE_RUNS", "25"))
# Each takes twice as long there. What differs there is SQL, not the rules, and a thousand steps try it.
POSTGRESQL_RUNS = int(os.environ.get("MACHINE_RUNS", "10"))
STEPS = 50
CLOSED = (S.PAID, S.REVIEW, S.REFUNDED)
USERS = ("u1", "u2")
PLANS = (
    PlanTerms(code="PREMIUM", name="Premium", price=Money(50, "USD")),
    PlanTerms(code="FAMILY_PREMIUM", name="Family Premium", price=Money(100, "USD")),
    PlanTerms(code="BASIC_KHR", name="Basic", price=Money(2000, "KHR")),
    PlanTerms(code="FULL_KHR", name="Full", price=Money(8000, "KHR")),
)
CODES = [terms.code for terms in PLANS]
TIERS = {"USD": CODES[:2], "KHR": CODES[2:]}  # the cheap one and the dear one

users = st.sampled_from(USERS)


@define
class Known:
    """What the model knows of one payment."""

    made: datetime
    user: str | None = None
    status: S = S.PENDING
    credited: bool = False
    money: dict[str, tuple[bool, datetime]] = field(
        factory=dict
    )  # by hash: whether it is what was asked for, when sent
    seen: set[str] = field(factory=set)
    rejected: set[str] = field(factory=set)
    answered_since_deadline: bool = False
    failed_at: datetime | None = None
    unreadable: int = 0
    duplicate: bool = False
    taken: bool = False  # what it bought was taken back


def wipe(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table in schema.metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names}"))


class Wire(Sender):
    """Stands for the network and the main backend, which notes what it took, in order."""

    def __init__(self) -> None:
        super().__init__(TargetPolicy())
        self.taken: dict[str, list[int]] = defaultdict(list)
        self.bodies: dict[str, bytes] = {}
        self.chance = random.Random(0)
        self.calm = False

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> AttemptResult:
        fate = 1.0 if self.calm else self.chance.random()
        if fate < 0.2:  # it didn't arrive
            return AttemptResult(status=None, error="connection: reset", duration=timedelta(0))
        event = json.loads(body)
        assert self.bodies.setdefault(headers["webhook-id"], body) == body
        self.taken[event["subject"]].append(event["sequence"])
        if fate < 0.4:  # it did, and the answer was lost
            return AttemptResult(status=None, error="timeout", duration=timedelta(0))
        return AttemptResult(status=204, error=None, duration=timedelta(0))


class Shop(RuleBasedStateMachine):
    """The real thing (a till on a database) and the model side by side."""

    url: str
    business: Business
    payments = Bundle("payments")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.executor = patient(self.url)
        self.loop.run_until_complete(self.executor.start())
        self.till = Till(self.executor, self.business)
        self.model: dict[int, Known] = {}
        self.since_restart = 0
        self.wire = Wire()
        self.do(self.executor.run(wipe))
        self.do(self.till.do(plans.ensure_defaults, PLANS))
        backend = NewEndpoint(url="https://backend.example/hook")
        self.do(self.till.do(endpoints.create, backend))
        self.work()

    def work(self) -> None:
        """Workers that know nothing but what is in the database."""
        self.dispatcher = Dispatcher(self.executor, self.business, self.till.clock)
        self.deliverer = Deliverer(self.executor, self.business, self.till.clock, sender=self.wire)

    def teardown(self) -> None:
        self.everything_that_must_hold_holds()
        self.every_event_arrives_in_its_order()
        self.loop.run_until_complete(self.executor.close())
        self.loop.close()

    def do(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    # What people do

    @rule(target=payments, user=users, plan=st.sampled_from([None, *CODES]))
    def create(self, user: str, plan: str | None) -> Any:
        asked = {"user_id": user, "plan": plan} if plan else {"amount": Money(50, "USD")}
        try:
            payment = self.do(self.till.create(**asked))
        except Refused as refused:
            assert plan is not None, refused  # noqa: PT017 - only subscriptions have something against it
            return multiple()
        return self.made(payment)

    @initialize(target=payments, plan=st.sampled_from(CODES))
    def begin(self, plan: str) -> Any:
        return self.buy(USERS[0], plan)

    @rule(target=payments, user=users, plan=st.sampled_from(CODES))
    def buy(self, user: str, plan: str) -> Any:
        """A plan, paid and seen at once."""
        return self.settle_at_once(self.create(user, plan))

    def settle_at_once(self, payment: int | MultipleResults[int]) -> int | MultipleResults[int]:
        if isinstance(payment, int):
            self.settle(payment)
        return payment

    @rule(payment=payments)
    def settle(self, payment: int) -> None:
        """What is asked for is paid, and seen at once."""
        self.pay(payment, right=True, ago=0)
        self.bakong_is_asked(payment, which=len(self.model[payment].money) - 1, twice=False)

    def made(self, payment: Payment) -> int:
        self.superseded(payment.user_id)
        self.model[payment.id] = Known(made=self.till.now, user=payment.user_id)
        self.till.later(milliseconds=1)
        return payment.id

    def superseded(self, user: str | None) -> None:
        """Something was made, paid or ended for this user: what was open may have been cancelled by it."""
        for payment, known in self.model.items():
            of_the_user = user is not None and known.user == user
            if of_the_user and known.status is S.PENDING and self.real(payment).status is S.CANCELLED:
                known.status = S.CANCELLED

    @rule(payment=payments, right=st.booleans(), ago=st.sampled_from([0, 0, 60, 1100]))
    def pay(self, payment: int, right: bool, ago: int) -> None:
        known = self.model[payment]
        sent_at = max(known.made, self.till.now - timedelta(seconds=ago))
        known.money[f"{len(known.money):032d}{payment:032d}"] = (right, sent_at)

    @rule(payment=payments)
    def cancel(self, payment: int) -> None:
        known = self.model[payment]
        if known.status is S.PENDING:
            self.do(self.till.cancel(self.real(payment)))
            known.status = S.CANCELLED
        else:
            with pytest.raises(Refused):
                self.do(self.till.cancel(self.real(payment)))

    @rule(payment=payments, action=st.sampled_from(["accept", "credit", "refunded", "not_ours"]), newest=st.booleans())
    def decide(self, payment: int, action: str, newest: bool) -> None:
        known, real = self.model[payment], self.real(payment)
        items = self.do(self.till.reviews(real))
        if not items:
            return
        item = items[-1 if newest else 0]
        came = {receipt.id: receipt.money for receipt in self.do(self.till.receipts(real))}.get(item.receipt_id)
        if action == "credit":
            self.credit(known, item, came)
            return
        if action == "accept" and known.status in (S.PAID, S.REFUNDED):
            with pytest.raises(Refused):
                self.do(self.till.resolve(item, action))
            return
        if action == "refunded" and known.status not in CLOSED:
            with pytest.raises(Refused):
                self.do(self.till.resolve(item, action))
            return
        try:
            after = self.do(self.till.resolve(item, action))
        except Refused as refused:
            assert action == "accept"
            assert refused.code in ("effect_no_longer_valid", "no_money_seen", "money_used_elsewhere")  # noqa: PT017
            return
        if action == "accept":
            known.status = S.PAID
            self.superseded(known.user)
        elif action == "refunded" and known.status is S.REVIEW:
            known.status = S.REFUNDED
        elif action == "not_ours" and known.status is S.REVIEW and len(items) == 1:
            known.status, known.unreadable = S.TIMEOUT, 0
        if action == "not_ours" and item.receipt_id is not None:
            seen = self.do(self.till.receipts(after))
            known.rejected |= {receipt.tx_hash for receipt in seen if receipt.id == item.receipt_id}

    def credit(self, known: Known, item: Any, came: Money | None) -> None:
        if known.status not in CLOSED or known.user is None or came is None:
            with pytest.raises(Refused):
                self.do(self.till.resolve(item, "credit"))
            return
        self.do(self.till.resolve(item, "credit"))
        if known.status is S.REVIEW:
            known.status, known.credited = S.PAID, True

    @rule(target=payments, payment=payments, reverse=st.booleans())
    def refund(self, payment: int, reverse: bool) -> Any:
        known, real = self.model[payment], self.real(payment)
        if known.status is S.PAID:
            self.do(self.till.refund(real, reverse=reverse))
            known.status, known.taken = S.REFUNDED, reverse
            self.superseded(known.user)
            return self.made_by_the_service(known.user)
        if known.status is S.REFUNDED and reverse and real.plan is not None and not known.taken:
            self.do(self.till.refund(real, reverse=True))
            known.taken = True
            self.superseded(known.user)
            return self.made_by_the_service(known.user)
        with pytest.raises(Refused):
            self.do(self.till.refund(real))
        return multiple()

    @rule(payment=payments)
    def hint(self, payment: int) -> None:
        self.do(self.till.hint(self.real(payment)))

    # What subscribers do

    @rule(target=payments, user=users, at_once=st.booleans())
    def renew(self, user: str, at_once: bool) -> Any:
        renewed = self.change(user, renewing.renew)
        if renewed is None or renewed.payment.id in self.model:  # the one that is shown already
            return multiple()
        payment = self.made(renewed.payment)
        return self.settle_at_once(payment) if at_once else payment

    @rule(target=payments, user=users, at_once=st.booleans())
    def upgrade(self, user: str, at_once: bool) -> Any:
        upgraded = self.change(user, plan_changes.upgrade, dear=True)
        if upgraded is None:
            return multiple()
        payment = self.made(upgraded.payment)
        return self.settle_at_once(payment) if at_once else payment

    @rule(target=payments, user=users, at_once=st.booleans())
    def downgrade(self, user: str, at_once: bool) -> Any:
        self.change(user, plan_changes.downgrade, dear=False, at_once=at_once)
        return self.made_by_the_service(user)

    @rule(user=users, at_once=st.booleans())
    def end(self, user: str, at_once: bool) -> None:
        self.change(user, cancelling.cancel, at_once=at_once, reason=None)

    @rule(user=users)
    def resume(self, user: str) -> None:
        self.change(user, cancelling.resume)

    def change(self, user: str, operation: Any, *, dear: bool | None = None, **named: Any) -> Any:
        """What came of a request, where it made a payment; None where it was refused or made none."""
        subscription = self.do(self.executor.read(lambda c: subscriptions.last_of(c, user)))
        if subscription is None:
            return None
        plan = [] if dear is None else [TIERS[subscription.plan.price.currency][dear]]
        try:
            asked = self.do(self.till.do(operation, subscription.reference, *plan, **named))
        except Refused:
            return None
        self.superseded(user)
        return asked if getattr(asked, "payment", None) is not None else None

    def made_by_the_service(self, user: str | None) -> Any:
        """A renewal QR in place of another one. None is the user of a payment that is for no plan."""
        if user is None:
            return multiple()
        query = select(schema.payments.c.id).where(schema.payments.c.user_id == user)
        ids = self.do(self.executor.read(lambda c: c.execute(query).scalars().all()))
        return multiple(*[self.made(self.real(new)) for new in ids if new not in self.model])

    @rule(user=users)
    def the_clock_comes_by(self, user: str) -> None:
        subscription = self.do(self.executor.read(lambda c: subscriptions.last_of(c, user)))
        if subscription is not None:
            self.do(self.till.do(boundaries.apply_due, subscription.id))

    # What time, Bakong and the network do

    @rule(seconds=st.sampled_from([1, 5, 31, 120, 600, 901, 3600, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.till.later(seconds=seconds)

    @rule(days=st.integers(2, 32))
    def weeks_pass(self, days: int) -> None:
        self.till.later(days=days)

    @rule(seed=st.integers(0, 1000))
    def webhooks_are_sent(self, seed: int) -> None:
        self.wire.chance.seed(seed)
        self.do(self.send())

    async def send(self) -> None:
        await self.dispatcher.step(self.till.now)
        while await self.deliverer.step(self.till.now) <= self.till.now:
            await self.deliverer.ended()

    @precondition(lambda self: self.since_restart >= 10)
    @rule()
    def restart(self) -> None:
        self.since_restart = 0
        self.do(self.executor.close())
        self.executor = patient(self.url)
        self.do(self.executor.start())
        self.till.executor = self.executor
        self.work()

    @rule(payment=payments, which=st.integers(0, 5), twice=st.booleans())
    def bakong_is_asked(self, payment: int, which: int, twice: bool) -> None:
        """It shows one of the payments of this code, or says that there is none."""
        known = self.model[payment]
        hashes = sorted(known.money)
        shown = hashes[which % len(hashes)] if hashes else None
        for _ in range(1 + twice):
            real = self.real(payment)
            if shown is None:
                self.do(self.till.answer(real, Answer.NOT_FOUND))
                self.not_found(known)
            else:
                right, sent_at = known.money[shown]
                wrong = {} if right else {"amount": Decimal("0.01") if real.amount.currency == "USD" else Decimal(100)}
                self.do(self.till.see(real, tx_hash=shown, sent_at=sent_at, **wrong))
                self.seen(known, shown)
                if known.user is not None and known.status is S.PAID:
                    self.bought(payment, known)

    @rule(payment=payments, reason=st.sampled_from(["server_unavailable", "blocked", "quota", "unauthorized"]))
    def outage(self, payment: int, reason: str) -> None:
        known = self.model[payment]
        self.do(self.till.answer(self.real(payment), Answer.NO_ANSWER, reason=reason))
        self.deadline(known)

    @rule(payment=payments)
    def failed(self, payment: int) -> None:
        known = self.model[payment]
        self.do(self.till.answer(self.real(payment), Answer.FAILED_TX))
        self.deadline(known)
        first = known.failed_at
        if known.status is S.PENDING and first is not None and self.till.now - first >= timedelta(seconds=30):
            known.status = S.FAILED
        known.failed_at = first or self.till.now

    @rule(payment=payments)
    def unreadable(self, payment: int) -> None:
        known = self.model[payment]
        self.do(self.till.answer(self.real(payment), Answer.UNREADABLE, raw="?"))
        self.deadline(known)
        known.unreadable += 1
        if known.status not in CLOSED and known.unreadable >= 3:
            known.status = S.REVIEW

    @rule(payment=payments)
    def stale_answer(self, payment: int) -> None:
        """A worker that lost its lease says "not found": nothing may come of it."""
        real = self.real(payment)
        outcome = Outcome(answer=Answer.NOT_FOUND, asked_at=self.till.now)
        self.do(self.till.settle(real, outcome, fence=real.fence - 1))
        assert self.real(payment) == real

    @rule(limit=st.integers(1, 5))
    def claimed_by_a_worker_that_dies(self, limit: int) -> None:
        self.do(self.executor.run(lambda c: claims.claim(c, limit=limit, now=self.till.now)))

    # The model

    def bought(self, payment: int, known: Known) -> None:
        """Money that is right, and yet too late for what it was to buy, waits for a person."""
        real = self.real(payment)
        if real.status is S.REVIEW:
            kinds = {item.kind for item in self.do(self.till.reviews(real))}
            assert "no_longer_valid" in kinds
            known.status = S.REVIEW
        self.superseded(known.user)

    def real(self, payment: int) -> Payment:
        found: Payment | None = self.do(self.till.read(rows.by_id, payment))
        return there(found)

    def deadline(self, known: Known) -> None:
        if known.status is S.PENDING and self.till.now >= known.made + timedelta(minutes=15):
            known.status = S.TIMEOUT

    def not_found(self, known: Known) -> None:
        self.deadline(known)
        if known.status is S.TIMEOUT and self.till.now >= known.made + timedelta(hours=24):
            known.status = S.EXPIRED

    def seen(self, known: Known, tx_hash: str) -> None:
        if tx_hash in known.seen:
            ended = known.status is S.TIMEOUT and self.till.now >= known.made + timedelta(hours=24)
            if ended and tx_hash in known.rejected:  # nothing else is to be seen
                known.status = S.EXPIRED
            return
        known.seen.add(tx_hash)
        right, sent_at = known.money[tx_hash]
        after_deadline = sent_at - known.made - timedelta(minutes=15)
        if known.status in CLOSED:
            known.duplicate = True
        elif not right or known.status is S.CANCELLED:
            known.status = S.REVIEW
        elif after_deadline <= timedelta(minutes=2) or (
            after_deadline <= timedelta(minutes=15) and known.status is not S.EXPIRED
        ):
            known.status = S.PAID
        else:
            known.status = S.REVIEW

    @invariant()
    def the_model_agrees(self) -> None:
        self.since_restart += 1

        def query(connection: Connection) -> tuple[dict[int, Any], dict[int, set[str]]]:
            real = {
                row.id: row
                for row in connection.execute(
                    select(schema.payments.c.id, schema.payments.c.status, schema.payments.c.flags)
                )
            }
            seen: dict[int, set[str]] = {}
            for row in connection.execute(select(schema.receipts.c.payment_id, schema.receipts.c.tx_hash)):
                seen.setdefault(row.payment_id, set()).add(row.tx_hash)
            return real, seen

        real, seen = self.do(self.executor.read(query))
        assert real.keys() == self.model.keys()
        for payment, known in self.model.items():
            assert real[payment].status == known.status
            assert ("duplicate" in real[payment].flags) == known.duplicate
            assert seen.get(payment, set()) == known.seen

    def every_event_arrives_in_its_order(self) -> None:
        self.wire.calm = True
        pending = select(schema.deliveries.c.id).where(schema.deliveries.c.state == "pending").limit(1)
        for _ in range(60):  # the schedule's longest wait is a day
            (endpoint,) = self.do(self.executor.read(endpoint_rows.every))
            if endpoint.state is EndpointState.DISABLED:
                self.do(self.till.do(endpoints.enable, endpoint.reference))
            self.do(self.send())
            if self.do(self.executor.read(lambda c: c.execute(pending).one_or_none())) is None:
                break
            self.till.later(hours=12)
        told = select(schema.events.c.subject, func.max(schema.events.c.subject_seq)).group_by(schema.events.c.subject)
        events = dict(self.do(self.executor.read(lambda c: c.execute(told).all())))
        about_endpoints = {subject for subject in events if subject.startswith("we_")}
        assert self.wire.taken.keys() - about_endpoints == events.keys() - about_endpoints
        for subject, last in events.items():
            if subject not in about_endpoints:
                assert list(dict.fromkeys(self.wire.taken[subject])) == list(range(1, last + 1))

    def everything_that_must_hold_holds(self) -> None:
        left_undone = ("overdue", "is live after its end", "no lease")  # nobody watches here but by the rules above
        broken = self.do(self.till.violations())
        assert [each for each in broken if not any(words in each.promise for words in left_undone)] == []


@pytest.mark.uncounted
@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(RUNS, marks=pytest.mark.timeout(600)),
        pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(0)]),
    ],
)
def test_no_order_of_events_makes_service_and_model_disagree(
    database_url: str, business: Business, tmp_path: Path, runs: int
) -> None:
    if runs == RUNS and database_url.startswith("postgresql"):
        runs = POSTGRESQL_RUNS
    copies = count()

    def fresh() -> str:
        """A database without payments: on PostgreSQL one that `wipe` empties, on SQLite a copy."""
        if not database_url.startswith("sqlite"):
            return database_url
        path = tmp_path / f"run-{next(copies)}.db"
        shutil.copy(database_url.removeprefix("sqlite:///"), path)
        return f"sqlite:///{path}"

    class Machine(Shop):
        def __init__(self) -> None:
            self.url, self.business = fresh(), business
            super().__init__()

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=runs, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
