"""Asks Bakong for the payments that a restored database doesn't have.

It asks as the watcher does: with the watcher's token, within the budget, and in lists if Bakong answers lists.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from bakong_service.clock import Clock
from bakong_service.domain.lost_payment import Finding, Found, LostPayment
from bakong_service.domain.payment import PaymentStatus
from bakong_service.domain.watching import Priority
from bakong_service.operations.business import Business
from bakong_service.operations.payments.settling import Answered
from bakong_service.operations.recovery import recovering
from bakong_service.operations.unit_of_work import UnitOfWork, transaction
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.payments.claims import Claimed
from bakong_service.workers.provider import Provider

_LONGEST_WAIT = timedelta(minutes=1)  # for Bakong; after that, the operator runs the command again
_ROUNDS = 5  # that may bring no answer to any payment
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

T = TypeVar("T")

Told = Callable[[int, int], None]
"""`told(done, of)` is told how many payments have an answer."""


class Recovery:
    """Looks for the money of lost payments. `wait` sleeps for a number of seconds."""

    def __init__(
        self,
        executor: Executor,
        business: Business,
        clock: Clock,
        provider: Provider,
        *,
        actor: str,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._executor = executor
        self._business = business
        self._clock = clock
        self._provider = provider
        self._actor = actor
        self._wait = wait

    async def look_for(self, lost: Iterable[LostPayment], told: Told) -> list[Found]:
        """Return what was found for each payment, in their order. Without an answer, that is `UNANSWERED`."""
        wanted = list(lost)
        found = {each.lost.md5: each for each in await self._in_database(wanted)}
        rounds = 0
        await self._provider.begin()
        while open_ := [each for each in wanted if _is_open(found.get(each.md5))]:
            answered = []
            async for each in self._round(open_):
                answered.append(each)
                found[each.lost.md5] = each
                told(sum(not _is_open(known) for known in found.values()), len(wanted))
            rounds = rounds + 1 if all(_is_open(each) for each in answered) else 0
            if rounds == _ROUNDS or not await self._may_ask_again(answered):
                break
        return [found[each.md5] for each in wanted]

    async def _in_database(self, lost: Sequence[LostPayment]) -> list[Found]:
        return await self._run(lambda work: recovering.known(work, lost))

    async def _round(self, lost: Sequence[LostPayment]) -> AsyncIterator[Found]:
        """Ask once for each payment."""
        await self._provider.prepare(self._clock.now())
        asked = 0
        while batch := lost[asked : asked + self._provider.batch]:
            answers = await self._provider.look([_claimed(number, each) for number, each in enumerate(batch)])
            for answer in answers:
                yield await self._record(batch[answer.payment_id], answer)
            asked += len(batch)

    async def _record(self, lost: LostPayment, answer: Answered) -> Found:
        sighting = answer.outcome.sighting
        if sighting is None:
            return recovering.without_money(lost, answer.outcome)
        return await self._run(lambda work: recovering.record_money(work, lost, sighting))

    async def _run(self, operation: Callable[[UnitOfWork], T]) -> T:
        return await self._executor.run(transaction(self._business, self._actor, self._clock.now(), operation))

    async def _may_ask_again(self, answered: Sequence[Found]) -> bool:
        """Wait until Bakong may be asked again. Return False if that takes too long, or if no payment is open."""
        now = self._clock.now()
        waits = [(each.retry_at or now) - now for each in answered if _is_open(each)]
        if not waits or min(waits) > _LONGEST_WAIT:
            return False
        await self._wait(max(min(waits).total_seconds(), 0.0))
        return True


def _is_open(found: Found | None) -> bool:
    return found is None or found.finding is Finding.UNANSWERED


def _claimed(number: int, lost: LostPayment) -> Claimed:
    """Return a lost payment in the form that the watcher asks for, behind the payments that somebody waits for."""
    return Claimed(
        id=number,
        md5=lost.md5,
        fence=0,
        status=PaymentStatus.EXPIRED.value,
        deadline_at=_LONG_AGO,
        watch_until=_LONG_AGO,
        priority=Priority.LOOK_BACK,
        reason="look_back",
    )
