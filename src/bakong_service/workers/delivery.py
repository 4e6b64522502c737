"""Claims due deliveries, signs and posts their events, and records the result of each attempt.

No transaction is open during a post. Each endpoint has its own places, so an endpoint that hangs slows no other. If a
process dies before it records a post, the delivery is posted again after its lease: delivery is at least once. So the
worker may record many attempts in one transaction (`recording.py`), and begin the next posts before that.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from bakong_service import resources
from bakong_service.clock import Clock
from bakong_service.domain.delivery import AttemptResult, DeliveryState
from bakong_service.operations.business import Business
from bakong_service.operations.unit_of_work import WEBHOOKS, UnitOfWork, transaction
from bakong_service.operations.webhooks import deliveries as operations
from bakong_service.operations.webhooks.deliveries import Assignment, Attempt
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.webhooks import deliveries
from bakong_service.storage.webhooks.deliveries import ClaimedDelivery
from bakong_service.vault import Unopenable
from bakong_service.webhooks.sender import Sender
from bakong_service.webhooks.signing import sign
from bakong_service.webhooks.verdict import retry_after, verdict
from bakong_service.workers.recording import Recorder

T = TypeVar("T")

PLACES = 32
"""The most posts that one process has under way at one endpoint."""
MOST_UNRECORDED = 256
"""How many attempts may wait for their record before no other begins. If they aren't recorded, they are made again."""
_LOOK_AGAIN = timedelta(seconds=1)  # because a signal may be lost
_PATIENCE_SECONDS = 5.0  # for the attempts that are under way when the process stops

# The name under which an attempt is counted, by the delivery's state after it.
_COUNTED = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.PENDING: "retried",
    DeliveryState.FAILED: "failed",
    None: "claim_lost",  # the endpoint was deleted, or the lease ended and another worker has it
}

log = structlog.get_logger(__name__)


class Deliverer:
    """The worker that makes the attempts. A `Loop` calls its `step`, which starts attempts and doesn't wait for them.

    `wake` is set when an attempt has ended, because its place is free again: give it to the `Loop`. `counts` has the
    number of attempts by their result: `delivered`, `retried`, `failed`, `claim_lost` and `not_recorded`.
    """

    def __init__(self, executor: Executor, business: Business, clock: Clock, *, sender: Sender | None = None) -> None:
        self.wake = asyncio.Event()
        self.counts = dict.fromkeys(("delivered", "retried", "failed", "claim_lost", "not_recorded"), 0)
        self._executor = executor
        self._business = business
        self._clock = clock
        self._sender = sender or Sender(business.webhooks.targets)
        self._recorder = Recorder(self._record)
        self._under_way: set[asyncio.Task[None]] = set()  # attempts that aren't recorded
        self._posting: set[ClaimedDelivery] = set()  # those that aren't answered: each has a place

    async def step(self, now: datetime) -> datetime:
        """Start an attempt at each due delivery whose endpoint has a free place. Return when to call `step` again.

        That is `now` if more deliveries may be due, else when the next one is due, but at most a second after `now`.
        """
        if len(self._under_way) - len(self._posting) >= MOST_UNRECORDED:
            return now + _LOOK_AGAIN
        due = await self._executor.read(deliveries.next_due)
        busy = Counter(claim.endpoint_id for claim in self._posting)
        free = {endpoint: PLACES - busy[endpoint] for endpoint in due if busy[endpoint] < PLACES}
        wanted = {endpoint: places for endpoint, places in free.items() if due[endpoint] <= now}
        if wanted:
            assignments = await self._run(now, lambda work: operations.claim(work, wanted))
            secrets: dict[int, list[str] | Unopenable] = {}
            for assignment in assignments:
                claim = assignment.claim
                if claim.endpoint_id not in secrets:
                    secrets[claim.endpoint_id] = self._secrets(assignment)
                attempt = self._deliver(assignment, secrets[claim.endpoint_id])
                task = asyncio.create_task(attempt, name=f"deliver-{assignment.event.reference}")
                self._posting.add(claim)
                self._under_way.add(task)
                task.add_done_callback(partial(self._ended, claim))
            if assignments:
                return now  # look again at once: more deliveries may be due than one claim takes
        return min([now + _LOOK_AGAIN, *(due[endpoint] for endpoint in free if due[endpoint] > now)])

    async def ended(self) -> None:
        """Wait until no attempt is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def aclose(self) -> None:
        """Wait a few seconds for attempts to end, then cancel them. Their leases end, and they are made again."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=_PATIENCE_SECONDS)
            for task in late:
                task.cancel()
        await self.ended()
        self._sender.close()

    def _ended(self, claim: ClaimedDelivery, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._give_back(claim)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The delivery is claimed again after its lease: it is late, and not lost.
            self.counts["not_recorded"] += 1
            log.error("webhook_not_recorded", task=task.get_name(), exc_info=error)

    def _give_back(self, claim: ClaimedDelivery) -> None:
        """Give the place of a post to the next post. A record needs no place."""
        self._posting.discard(claim)
        self.wake.set()

    def _secrets(self, assignment: Assignment) -> list[str] | Unopenable:
        """Return the secrets that sign, or why they don't open: this concerns one endpoint, so the others go on."""
        try:
            return assignment.opened(self._business.vault)
        except Unopenable as error:
            return error

    async def _deliver(self, assignment: Assignment, secrets: list[str] | Unopenable) -> None:
        answer = await self._attempt(assignment, secrets)
        self._give_back(assignment.claim)
        # Others' clocks count for what others read or write: a test clock that was moved changes no HTTP date.
        after = retry_after(answer, now=self._clock.world())
        state = await self._recorder.record(
            Attempt(assignment=assignment, answer=answer, verdict=verdict(answer), retry_after=after)
        )
        self.counts[_COUNTED[state]] += 1
        if state is DeliveryState.FAILED:
            event = assignment.event
            log.error("webhook_failed", event_id=event.reference, subject=event.subject, status=answer.status)

    async def _attempt(self, assignment: Assignment, secrets: list[str] | Unopenable) -> AttemptResult:
        if isinstance(secrets, Unopenable):
            return AttemptResult(status=None, error=f"secret: {secrets}", duration=timedelta(0))
        event, body = assignment.event, resources.Event.of(assignment.event).body()
        headers = sign(event.reference, body, secrets, at=self._clock.world())
        return await self._sender.post(assignment.url, headers, body)

    async def _record(self, attempts: Sequence[Attempt]) -> list[DeliveryState | None]:
        return await self._run(self._clock.now(), lambda work: operations.record(work, attempts))

    async def _run(self, now: datetime, operation: Callable[[UnitOfWork], T]) -> T:
        return await self._executor.run(transaction(self._business, WEBHOOKS, now, operation))
