"""The watcher: claims payments that are due, commits, asks Bakong, records. Everything it knows is in the database, so
any number of replicas may run it, and one that dies leaves nothing behind but leases that end."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from bakong_service.clock import Clock
from bakong_service.domain.outcome import Answer
from bakong_service.domain.payment import MONEY, Flag, Payment
from bakong_service.operations.business import Business
from bakong_service.operations.settling import Answered, settle, settle_all
from bakong_service.storage import claims
from bakong_service.storage.executor import DatabaseUnavailable, Executor
from bakong_service.workers.provider import Provider

_LOOK_AGAIN = timedelta(seconds=1)  # others may have made payments that no signal told of
_BREATH = timedelta(milliseconds=100)  # what is due is under somebody's lease
_ROUND = timedelta(seconds=10)  # after which the modes and the budget are looked up again

log = structlog.get_logger(__name__)


class Settlement:
    """Looks at payments until money is seen or their watch is over. `counts` are outcomes, by their kind or reason."""

    def __init__(self, executor: Executor, business: Business, clock: Clock, provider: Provider) -> None:
        self.counts: Counter[str] = Counter()
        self.provider = provider
        self._executor = executor
        self._business = business
        self._clock = clock
        self._begun = False

    async def step(self, now: datetime) -> datetime | None:
        """Look at all that is due, several calls at a time; when to come again."""
        if not self._begun:
            await self._begin()
        due = await self._executor.read(claims.next_due)
        if due is None or due > now:
            return min(due or now + _LOOK_AGAIN, now + _LOOK_AGAIN)
        await self.provider.prepare(now)
        calls = asyncio.Semaphore(self.provider.lanes)
        async with asyncio.TaskGroup() as lanes:
            for _ in range(self.provider.lanes * 3 // 2):  # while some wait for Bakong, others claim and record
                lanes.create_task(self._lane(now + _ROUND, calls))
        return now + _BREATH

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
            except BaseException:  # the process stops, or the database is away: whoever comes next needn't wait
                with suppress(DatabaseUnavailable):
                    await self._executor.run(lambda c: claims.release(c, claimed))  # noqa: B023 - run here
                raise
            await self._record(answers)

    async def _record(self, answers: list[Answered]) -> None:
        """Write what was learnt: all that is no money in one transaction, money in one of its own for each."""
        now, mode = self._clock.now(), self.provider.mode
        business = self._business
        money = [answered for answered in answers if answered.outcome.answer is Answer.FOUND]
        others = [answered for answered in answers if answered.outcome.answer is not Answer.FOUND]
        settled: list[Payment] = []
        if others:
            settled += await self._executor.run(lambda c: settle_all(c, business, others, mode=mode, now=now))
        settled += await asyncio.gather(*(self._settle(answered, now) for answered in money))
        by_id = {payment.id: payment for payment in settled}
        for answered in answers:
            self._count(answered, by_id.get(answered.payment_id))

    async def _settle(self, answered: Answered, now: datetime) -> Payment:
        return await self._executor.run(
            lambda c: settle(
                c,
                self._business,
                answered.payment_id,
                answered.outcome,
                fence=answered.fence,
                mode=self.provider.mode,
                now=now,
            )
        )

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
