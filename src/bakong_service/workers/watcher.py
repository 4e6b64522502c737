"""The watcher: it claims payments that are due, commits, asks Bakong, and records the outcomes.

Everything that it knows is in the database, so many replicas may run it. If one dies, its leases end by themselves.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from bakong_service.clock import Clock
from bakong_service.domain.outcome import Answer
from bakong_service.domain.payment import MONEY, Flag, Payment, PaymentStatus
from bakong_service.operations.business import Business
from bakong_service.operations.payments.settling import Answered, settle, settle_all
from bakong_service.operations.unit_of_work import WATCHER, UnitOfWork, transaction
from bakong_service.storage.engine.executor import DatabaseUnavailable, Executor
from bakong_service.storage.payments import claims, payments
from bakong_service.storage.payments.claims import Claimed
from bakong_service.workers.provider import LIST_SIZE, Provider
from bakong_service.workers.timekeeping import Timekeeper

_LOOK_AGAIN = timedelta(seconds=1)  # because a signal about a new payment may be lost
_BREATH = timedelta(milliseconds=100)  # other workers have leased what is due now
_PUT_OFF = timedelta(minutes=1)
_ROUND = timedelta(seconds=10)  # then the mode and the budget are read again

log = structlog.get_logger(__name__)


class Settlement:
    """Looks at payments until money comes or their watch is over. `counts` counts outcomes by kind or reason.

    When a payment becomes paid, `detected` gets the seconds since the payer sent the money.
    """

    def __init__(
        self,
        executor: Executor,
        business: Business,
        clock: Clock,
        provider: Provider,
        timekeeper: Timekeeper | None = None,
        detected: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.provider = provider
        self._executor = executor
        self._business = business
        self._clock = clock
        self._timekeeper = timekeeper
        self._detected = detected
        self._begun = False
        self._revisited_at: datetime | None = None

    async def step(self, now: datetime) -> datetime | None:
        """Look at all payments that are due, with several calls at a time. Return when to look again."""
        if not self._begun:
            await self._begin()
        await self._revisit(now)
        due = await self._executor.read(claims.next_due)
        if due is None or due > now:
            return min(due or now + _LOOK_AGAIN, now + _LOOK_AGAIN)
        await self.provider.prepare(now)
        calls = asyncio.Semaphore(self.provider.lanes)
        async with asyncio.TaskGroup() as lanes:
            for _ in range(self.provider.lanes * 3 // 2):  # while some wait for Bakong, others claim and record
                lanes.create_task(self._lane(now + _ROUND, calls))
        return now + _BREATH

    async def _revisit(self, now: datetime) -> None:
        """Plan the looks at payments with open review items, every ten seconds."""
        if self._revisited_at is None or not timedelta(0) <= now - self._revisited_at < _ROUND:
            await self._executor.run(lambda c: claims.revisit(c, limit=LIST_SIZE, now=now))
            self._revisited_at = now

    async def _begin(self) -> None:
        await self.provider.begin()
        if self._executor.dialect == "sqlite":
            await self._executor.run(claims.release_all)
        self._begun = True

    async def _lane(self, until: datetime, calls: asyncio.Semaphore) -> None:
        while (now := self._clock.now()) < until:
            limit = self.provider.batch
            claimed = await self._executor.run(lambda c: claims.claim(c, limit=limit, now=now))  # noqa: B023 - run here
            if not claimed:
                return
            try:
                async with calls:
                    answers = await self.provider.look(claimed)
            except BaseException:  # the process stops, or the database is away: the next worker needn't wait
                with suppress(DatabaseUnavailable):
                    await self._executor.run(lambda c: claims.release(c, claimed))  # noqa: B023 - run here
                raise
            await self._record(await self._believed(claimed, answers))

    async def _believed(self, claimed: list[Claimed], answers: list[Answered]) -> list[Answered]:
        """Return the answers that may be recorded now.

        The end of a watch can't be undone. While no other clock confirms that it has come, only money is recorded, and
        Bakong is asked again in a minute.
        """
        now, timekeeper = self._clock.now(), self._timekeeper
        ended = {payment.id for payment in claimed if payment.watch_until <= now}
        # If the comparison sets the clock back, the times of these answers were wrong.
        if not ended or timekeeper is None or (await timekeeper.agreed() and self._clock.now() >= now):
            return answers
        held = [each for each in claimed if each.id in ended]
        again_at = self._clock.now() + _PUT_OFF
        money = {each.payment_id for each in answers if each.outcome.answer is Answer.FOUND}
        put_off = [each for each in held if each.id not in money]
        await self._executor.run(lambda c: claims.put_off(c, put_off, until=again_at))
        self.counts["clock_distrusted"] += len(put_off)
        return [each for each in answers if each.payment_id not in ended or each.payment_id in money]

    async def _record(self, answers: list[Answered]) -> None:
        """Record the outcomes: those without money in one transaction, and each with money in its own."""
        now, mode = self._clock.now(), self.provider.mode
        money = [answered for answered in answers if answered.outcome.answer is Answer.FOUND]
        others = [answered for answered in answers if answered.outcome.answer is not Answer.FOUND]
        settled: list[Payment] = []
        if others:
            settled += await self._executor.run(
                transaction(self._business, WATCHER, now, lambda work: settle_all(work, others, mode=mode))
            )
        settled += await asyncio.gather(*(self._settle(answered, now) for answered in money))
        by_id = {payment.id: payment for payment in settled}
        for answered in answers:
            self._count(answered, by_id.get(answered.payment_id))

    async def _settle(self, answered: Answered, now: datetime) -> Payment:
        def settled(work: UnitOfWork) -> tuple[Payment | None, Payment]:
            before = payments.by_id(work.connection, answered.payment_id)
            mode = self.provider.mode
            return before, settle(work, answered.payment_id, answered.outcome, fence=answered.fence, mode=mode)

        before, after = await self._executor.run(transaction(self._business, WATCHER, now, settled))
        if before is not None and before.status not in MONEY and after.status is PaymentStatus.PAID:
            assert after.paid_at is not None
            self._detected((now - after.paid_at).total_seconds())
        return after

    def _count(self, answered: Answered, payment: Payment | None) -> None:
        outcome = answered.outcome
        self.counts[outcome.reason or outcome.answer.value] += 1
        if payment is None:
            return
        if outcome.answer is Answer.STATIC_QR:
            log.error("bakong_cannot_follow_a_static_qr", payment=payment.reference)
        if payment.status in MONEY and outcome.answer in (Answer.NOT_FOUND, Answer.FAILED_TX):
            self.counts["provider_contradiction"] += 1
            log.warning("bakong_contradicts_itself", payment=payment.reference, answer=outcome.answer.value)
        if Flag.UNVERIFIABLE in payment.flags and outcome.answer is not Answer.FOUND:
            log.error("payment_unverifiable", payment=payment.reference)
