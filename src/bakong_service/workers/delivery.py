"""The deliverer: claims what is due, commits, signs, posts, and records what came of it.

No transaction is open during a post. Each endpoint has places of its own, so that one that hangs fills its own and
slows no other. A process that dies between a post and its record posts again when the lease has ended: at least once.
"""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from bakong_service.clock import Clock
from bakong_service.domain.delivery import Answer, DeliveryState
from bakong_service.operations import deliveries as operations
from bakong_service.operations import webhook_presenting
from bakong_service.operations.business import Business
from bakong_service.operations.deliveries import Assignment
from bakong_service.storage import deliveries
from bakong_service.storage.executor import Executor
from bakong_service.vault import Unopenable
from bakong_service.webhooks.sender import Sender
from bakong_service.webhooks.signing import sign
from bakong_service.webhooks.verdict import retry_after, verdict

PLACES = 32
"""Posts under way at one endpoint, at most."""
_LOOK_AGAIN = timedelta(seconds=1)  # the net below the signals, which may be lost
_PATIENCE_SECONDS = 5.0

_COUNTED = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.PENDING: "retried",
    DeliveryState.FAILED: "failed",
    None: "claim_lost",  # the endpoint was deleted, or the lease ended and another worker has it
}

log = structlog.get_logger(__name__)


class Deliverer:
    """Makes the attempts. `step` starts them and doesn't wait for them; `wake` is set when one has ended, and `counts`
    says what came of them.

    Run it in a `Loop` that is given `wake`. `aclose` lets what is under way end.
    """

    def __init__(self, executor: Executor, business: Business, clock: Clock, *, sender: Sender | None = None) -> None:
        self.wake = asyncio.Event()
        self.counts = dict.fromkeys(("delivered", "retried", "failed", "claim_lost", "not_recorded"), 0)
        self._executor = executor
        self._business = business
        self._clock = clock
        self._sender = sender or Sender(business.webhooks.targets)
        self._under_way: dict[asyncio.Task[None], int] = {}

    async def step(self, now: datetime) -> datetime:
        """Start an attempt at all that is due and has a place. When something is due next, a second away at most."""
        due = await self._executor.read(deliveries.next_due)
        busy = Counter(self._under_way.values())
        free = {endpoint: PLACES - busy[endpoint] for endpoint in due if busy[endpoint] < PLACES}
        wanted = {endpoint: places for endpoint, places in free.items() if due[endpoint] <= now}
        if wanted:
            assignments = await self._executor.run(lambda connection: operations.claim(connection, wanted, now=now))
            for assignment in assignments:
                task = asyncio.create_task(self._deliver(assignment), name=f"deliver-{assignment.event.reference}")
                self._under_way[task] = assignment.claim.endpoint_id
                task.add_done_callback(self._ended)
            if assignments:
                return now  # look at once: there may be more than one claim took
        return min([now + _LOOK_AGAIN, *(due[endpoint] for endpoint in free if due[endpoint] > now)])

    async def ended(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def aclose(self) -> None:
        """Let what is under way end, but not for long: what is cut off is tried again when its lease has ended."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=_PATIENCE_SECONDS)
            for task in late:
                task.cancel()
        await self.ended()
        self._sender.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self.wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease brings the delivery back: it is late, not lost.
            self.counts["not_recorded"] += 1
            log.error("webhook_not_recorded", task=task.get_name(), exc_info=error)

    async def _deliver(self, assignment: Assignment) -> None:
        event = assignment.event
        answer = await self._attempt(assignment)
        state = await self._executor.run(partial(self._record, assignment, answer))
        self.counts[_COUNTED[state]] += 1
        if state is DeliveryState.FAILED:
            log.error("webhook_failed", event_id=event.reference, subject=event.subject, status=answer.status)

    async def _attempt(self, assignment: Assignment) -> Answer:
        try:
            secrets = assignment.opened(self._business.vault)
        except Unopenable as error:  # this endpoint's trouble, and no other's
            return Answer(status=None, error=f"secret: {error}", duration=timedelta(0))
        event, body = assignment.event, webhook_presenting.body(assignment.event)
        headers = sign(event.reference, body, secrets, at=self._clock.world())
        return await self._sender.post(assignment.url, headers, body)

    def _record(self, assignment: Assignment, answer: Answer, connection: Connection) -> DeliveryState | None:
        now = self._clock.now()
        return operations.record(
            connection,
            self._business,
            assignment,
            answer,
            verdict(answer),
            retry_after=retry_after(answer, now=self._clock.world()),
            now=now,
        )
