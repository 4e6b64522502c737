"""Asks Bakong for the watcher: in lists or about one payment at a time, within the budget, and not while it refuses.

Bakong's answers about payments become outcomes. How Bakong can be asked (`domain.access`) is kept in the database.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from attrs import evolve

from bakong_khqr.api import Transaction
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.errors import (
    BakongError,
    Blocked,
    QuotaExceeded,
    RateLimited,
    ServerUnavailable,
    Unauthorized,
    UnreadableTransaction,
)
from bakong_service.clock import Clock
from bakong_service.domain import access as doors
from bakong_service.domain.access import Access
from bakong_service.domain.allowance import Allowance, next_day
from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.domain.payment import PaymentStatus
from bakong_service.domain.watching import Mode, Priority
from bakong_service.operations.payments.settling import Answered
from bakong_service.storage.bakong import access, budget
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.payments import claims
from bakong_service.storage.payments.claims import Claimed
from bakong_service.workers.budget import BudgetSpent, keeping
from bakong_service.workers.reading import QUOTA_PROBE, after_quota, outcome_of
from bakong_service.workers.timekeeping import Timekeeper
from bakong_service.workers.tokens import TokenKeeper

T = TypeVar("T")

LIST_SIZE = 50
LISTS_IN_FLIGHT = 8
SINGLES_IN_FLIGHT = 4
_RATE_LIMIT_PAUSE = timedelta(seconds=30)
_SINGLES_OF_A_LIST = 3  # items of one list that are asked for again one by one, within the lease
_WORTH_A_CALL = frozenset({"hint", "starved", "look_back", "closing_check", "unverifiable", "review"})

log = structlog.get_logger(__name__)


class Provider:
    """What the watcher knows about Bakong now, and how it asks. Call `prepare` before each round."""

    def __init__(
        self,
        executor: Executor,
        clock: Clock,
        tokens: TokenKeeper,
        *,
        daily_limit: int | None,
        timekeeper: Timekeeper | None = None,
    ) -> None:
        self.access = Access(since=clock.now())
        self.allowance = Allowance(day="", limit=daily_limit, used=0)
        self.open_payments = 0
        self._executor = executor
        self._clock = clock
        self._tokens = tokens
        self._timekeeper = timekeeper
        self._daily_limit = daily_limit
        self._paused_until: datetime | None = None
        self._in_flight = LISTS_IN_FLIGHT

    async def begin(self) -> None:
        """Store the limit of the settings, once at the start of the process."""
        limit, now = self._daily_limit, self._clock.now()
        await self._executor.run(lambda c: budget.set_limit(c, limit=limit, now=now))

    async def prepare(self, now: datetime) -> None:
        """Read what other replicas learnt and how many calls are left today, and renew the token if it is time."""
        limit = self._daily_limit
        self.access = await self._executor.read(lambda c: access.read(c, now=now))
        self.allowance = await self._executor.read(lambda c: budget.read(c, limit=limit, now=now))
        if limit is not None or self.allowance.blocked_until is not None:
            self.open_payments = await self._executor.read(lambda c: claims.count_open(c, at_most=limit or LIST_SIZE))
        self._in_flight = min(self._in_flight + 1, LISTS_IN_FLIGHT)
        if not self.access.waits(now):
            await self._tokens.upkeep(now)

    @property
    def mode(self) -> Mode:
        """How Bakong can be asked now."""
        return self.allowance.mode(self.access.mode, self.open_payments)

    @property
    def lanes(self) -> int:
        """How many calls may be under way at once. Each 429 halves the number; a probe is one call."""
        if self.access.mode is Mode.BLOCKED or self.allowance.blocked_until is not None:
            return 1
        most = LISTS_IN_FLIGHT if self.access.asks_lists(self._clock.now()) else SINGLES_IN_FLIGHT
        return min(self._in_flight, most)

    @property
    def batch(self) -> int:
        """How many payments one call asks for."""
        now = self._clock.now()
        held = self.access.waits(now) or self.allowance.is_blocked(now)  # Bakong won't be asked
        return LIST_SIZE if held or (self.access.mode is not Mode.BLOCKED and self.access.asks_lists(now)) else 1

    async def look(self, claimed: Sequence[Claimed]) -> list[Answered]:
        """Return an outcome for each payment: Bakong's answer, or why Bakong wasn't asked."""
        now = self._clock.now()
        outcomes: dict[int, Outcome | None] = {payment.id: self._not_now(payment, now) for payment in claimed}
        asked = [payment for payment in claimed if outcomes[payment.id] is None]
        if asked:
            outcomes |= await self._ask(asked, now)
        return [
            Answered(payment_id=payment.id, fence=payment.fence, outcome=outcome)
            for payment in claimed
            if (outcome := outcomes[payment.id]) is not None
        ]

    def _not_now(self, payment: Claimed, now: datetime) -> Outcome | None:
        """Return why Bakong isn't asked about a payment now, and until when. Return None if Bakong is asked."""
        if payment.status == PaymentStatus.PENDING and now >= payment.deadline_at:
            return _unasked("deadline", now)  # the payment passes its deadline first, and the look comes after that
        if self.access.waits(now):
            return _unasked(self.access.reason, self.access.probe_at)
        if self._paused_until is not None and now < self._paused_until:
            return _unasked("rate_limited", self._paused_until)
        if self.allowance.is_blocked(now):
            return _unasked("quota", self.allowance.blocked_until)
        if self.mode is Mode.STARVED and payment.priority != Priority.HINT and payment.reason not in _WORTH_A_CALL:
            return _unasked("starved", now)
        if not self.allowance.permits(payment.priority, open_payments=self.open_payments, now=now):
            return _unasked("quota", after_quota(now, payment.id))
        return None

    async def _ask(self, payments: Sequence[Claimed], now: datetime) -> Mapping[int, Outcome | None]:
        # Alone, a payment costs one call. By a list that is refused it costs two, and most days have few calls then.
        is_cheaper_alone = self.mode is Mode.STARVED and len(payments) == 1
        if self.access.mode is not Mode.BLOCKED and self.access.asks_lists(now) and not is_cheaper_alone:
            return await self._by_list(payments)
        return {payment.id: await self._singly(payment) for payment in payments}

    async def _by_list(self, payments: Sequence[Claimed]) -> Mapping[int, Outcome | None]:
        asked_at = self._clock.now()
        try:
            with keeping(self._kept(payments)):
                found = await self._send(
                    lambda client: client.transactions_by_md5([payment.md5 for payment in payments])
                )
        except Blocked:
            return await self._after_closed_list(payments)
        except BakongError as error:
            await self._learn_from(error)
            return {each.id: self._outcome(error, asked_at, each.id) for each in payments}
        await self._learn(doors.list_answered(self.access, asked_at))
        outcomes: dict[int, Outcome | None] = {}
        again = 0
        for payment in payments:
            answer = found[payment.md5]
            if isinstance(answer, UnreadableTransaction) and again < _SINGLES_OF_A_LIST:
                again += 1
                outcomes[payment.id] = await self._singly(payment)
            else:
                outcomes[payment.id] = self._outcome(answer, asked_at, payment.id)
        return outcomes

    async def _after_closed_list(self, payments: Sequence[Claimed]) -> Mapping[int, Outcome | None]:
        """Look at one payment alone, to see whether Bakong refuses only lists. The others wait for the next round."""
        first, *others = payments
        outcome = await self._singly(first)
        now = self._clock.now()
        if self.access.mode is not Mode.BLOCKED:
            await self._learn(doors.list_refused(self.access, now, is_starved=self.mode is Mode.STARVED))
        return {first.id: outcome} | {payment.id: _unasked("list_closed", now) for payment in others}

    async def _singly(self, payment: Claimed) -> Outcome:
        asked_at = self._clock.now()
        answer: Transaction | BakongError | None
        try:
            with keeping(self._kept([payment])):
                answer = await self._send(lambda client: client.transaction_by_md5(payment.md5))
        except BakongError as error:
            await self._learn_from(error)
            answer = error
        else:
            await self._learn(doors.single_answered(self.access, asked_at))
        return self._outcome(answer, asked_at, payment.id)

    def _kept(self, payments: Sequence[Claimed]) -> int:
        """Return how many calls must be left to others. The most urgent of the payments decides."""
        return min(self.allowance.kept(payment.priority, self.open_payments) for payment in payments)

    def _outcome(self, answer: Transaction | BakongError | None, asked_at: datetime, payment_id: int) -> Outcome:
        skew = None if self._timekeeper is None else self._timekeeper.skew
        return outcome_of(answer, asked_at=asked_at, spread=payment_id, skew=skew or timedelta(0))

    async def _send(self, ask: Callable[[AsyncBakongClient], Awaitable[T]]) -> T:
        """Ask Bakong. If it refuses the token, ask once more with another token."""
        client = self._tokens.client
        self.allowance = evolve(self.allowance, used=self.allowance.used + 1)
        try:
            return await ask(client)
        except Unauthorized:
            if not await self._tokens.refused(client):
                raise
            return await ask(self._tokens.client)

    async def _learn_from(self, error: BakongError) -> None:
        now = self._clock.now()
        match error:
            case BudgetSpent():
                limit = self._daily_limit
                self.allowance = await self._executor.read(lambda c: budget.read(c, limit=limit, now=now))
            case QuotaExceeded():
                until = min(next_day(now), now + QUOTA_PROBE)
                self.allowance = evolve(self.allowance, blocked_until=until)
                limit = self._daily_limit
                await self._executor.run(lambda c: budget.block(c, limit=limit, until=until, now=now))
                log.error("bakong_quota_spent", probe_at=until.isoformat())
            case RateLimited():
                self._in_flight = max(self._in_flight // 2, 1)
                self._paused_until = error.retry_at or now + _RATE_LIMIT_PAUSE
            case Blocked():
                await self._learn(doors.refused(self.access, "blocked", now))
            case Unauthorized():
                await self._learn(doors.refused(self.access, "unauthorized", now))
            case ServerUnavailable():
                await self._learn(doors.failed(self.access, now))

    async def _learn(self, learnt: Access) -> None:
        """Store how Bakong can be asked, and log a change of the mode."""
        if learnt == self.access:
            return
        if learnt.mode is not self.access.mode:
            tell = log.error if learnt.mode is Mode.BLOCKED else log.info
            tell("bakong_mode", mode=learnt.mode.value, was=self.access.mode.value, reason=learnt.reason)
        self.access = learnt
        await self._executor.run(lambda c: access.write(c, learnt))


def _unasked(reason: str, retry_at: datetime | None) -> Outcome:
    return Outcome(answer=Answer.NO_ANSWER, asked_at=None, reason=reason, retry_at=retry_at)
