"""A shop for as long as Hypothesis likes: payers, outages, restarts and operators in any order, beside a small model.

The model knows what was paid when, and nothing of how the service works. CI runs the short form on both databases;
`MACHINE_RUNS` sets another number of runs.
"""

import asyncio
import os
import shutil
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection, select, text

from bakong_service.domain.errors import Refused
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.operations import plans
from bakong_service.storage import claims, schema
from bakong_service.storage import payments as rows
from bakong_service.storage.executor import connect

S = PaymentStatus
RUNS = int(os.environ.get("MACHINE_RUNS", "100"))
STEPS = 50
CLOSED = (S.PAID, S.REVIEW, S.REFUNDED)


@define
class Known:
    """What the model knows of one payment."""

    made: datetime
    status: S = S.PENDING
    money: dict[str, tuple[bool, datetime]] = field(
        factory=dict
    )  # by hash: whether it is what was asked for, when sent
    seen: set[str] = field(factory=set)
    rejected: set[str] = field(factory=set)
    answered_since_deadline: bool = False
    failed_at: datetime | None = None
    unreadable: int = 0
    duplicate: bool = False


def wipe(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table in schema.metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names}"))


class Shop(RuleBasedStateMachine):
    """The real thing (a till on a database) and the model side by side."""

    url: str
    business: Any
    till_of: Any  # the conftest's Till
    payments = Bundle("payments")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.executor = connect(self.url)
        self.loop.run_until_complete(self.executor.start())
        self.till = self.till_of(executor=self.executor, business=self.business)
        self.model: dict[int, Known] = {}
        self.since_restart = 0
        self.do(self.executor.run(wipe))
        self.do(self.till.run(lambda c: plans.ensure_defaults(c, self.business, None, now=self.till.now)))

    def teardown(self) -> None:
        self.everything_that_must_hold_holds()
        self.loop.run_until_complete(self.executor.close())
        self.loop.close()

    def do(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    # What people do

    @rule(target=payments, plan=st.booleans())
    def create(self, plan: bool) -> int:
        asked = {"user_id": f"u{len(self.model)}", "plan": "PREMIUM"} if plan else {"amount": Money(50, "USD")}
        payment = self.do(self.till.create(**asked))
        self.model[payment.id] = Known(made=self.till.now)
        self.till.later(milliseconds=1)
        return payment.id

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

    @rule(payment=payments, action=st.sampled_from(["accept", "refunded", "not_ours"]), newest=st.booleans())
    def decide(self, payment: int, action: str, newest: bool) -> None:
        known = self.model[payment]
        items = self.do(self.till.reviews(self.real(payment)))
        if not items:
            return
        item = items[-1 if newest else 0]
        if action == "accept" and known.status in (S.PAID, S.REFUNDED):
            with pytest.raises(Refused):
                self.do(self.till.resolve(item, action))
            return
        if action == "refunded" and known.status not in CLOSED:
            with pytest.raises(Refused):
                self.do(self.till.resolve(item, action))
            return
        after = self.do(self.till.resolve(item, action))
        if action == "accept":
            known.status = S.PAID
        elif action == "refunded" and known.status is S.REVIEW:
            known.status = S.REFUNDED
        elif action == "not_ours" and known.status is S.REVIEW and len(items) == 1:
            known.status, known.unreadable = S.TIMEOUT, 0
        if action == "not_ours" and item.receipt_id is not None:
            seen = self.do(self.till.receipts(after))
            known.rejected |= {receipt.tx_hash for receipt in seen if receipt.id == item.receipt_id}

    @rule(payment=payments)
    def refund(self, payment: int) -> None:
        known = self.model[payment]
        if known.status is S.PAID:
            self.do(self.till.refund(self.real(payment)))
            known.status = S.REFUNDED
        else:
            with pytest.raises(Refused):
                self.do(self.till.refund(self.real(payment)))

    @rule(payment=payments)
    def hint(self, payment: int) -> None:
        self.do(self.till.hint(self.real(payment)))

    # What time and Bakong do

    @rule(seconds=st.sampled_from([1, 5, 31, 120, 600, 901, 3600, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.till.later(seconds=seconds)

    @precondition(lambda self: self.since_restart >= 10)
    @rule()
    def restart(self) -> None:
        self.since_restart = 0
        self.do(self.executor.close())
        self.executor = connect(self.url)
        self.do(self.executor.start())
        self.till.executor = self.executor

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
                wrong = {} if right else {"amount": Decimal("0.01")}
                self.do(self.till.see(real, tx_hash=shown, sent_at=sent_at, **wrong))
                self.seen(known, shown)

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

    def real(self, payment: int) -> Payment:
        return self.do(self.executor.read(lambda c: rows.by_id(c, payment)))

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

    def everything_that_must_hold_holds(self) -> None:
        left_undone = ("overdue", "lives on", "no lease")  # nobody watches here but by the rules above
        broken = self.do(self.till.violations())
        assert [each for each in broken if not any(words in each.promise for words in left_undone)] == []


@pytest.mark.parametrize("runs", [RUNS, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(0)])])
def test_no_order_of_events_makes_service_and_model_disagree(
    database_url: str, business: Any, till_of: Any, tmp_path: Path, runs: int
) -> None:
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
            self.url, self.business, self.till_of = fresh(), business, till_of
            super().__init__()

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=runs, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
