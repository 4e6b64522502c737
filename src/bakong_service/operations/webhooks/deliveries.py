"""Claims deliveries for a worker, and records each attempt and what follows from it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from attrs import field, frozen
from sqlalchemy import Connection

from bakong_service.domain.delivery import AttemptResult, DeliveryState, Verdict, is_given_up
from bakong_service.domain.endpoint import EndpointState
from bakong_service.domain.event import Event
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.operations.webhooks.endpoints import disable, place_of
from bakong_service.storage.engine.signals import DELIVERIES, signal
from bakong_service.storage.webhooks import deliveries, delivery_records, endpoints, outbox
from bakong_service.storage.webhooks.deliveries import ClaimedDelivery, Ending
from bakong_service.storage.webhooks.endpoints import SealedSecret
from bakong_service.vault import Vault

ATTEMPTS_KEPT = timedelta(days=90)
_FORGOTTEN_AT_ONCE = 1000


@frozen(kw_only=True)
class Assignment:
    """A delivery that a worker has claimed, with everything that an attempt needs."""

    claim: ClaimedDelivery
    event: Event
    endpoint: str  # its reference, we_...
    url: str
    was_failing: bool  # whether the endpoint was failing when the delivery was claimed
    secrets: tuple[SealedSecret, ...] = field(repr=False)

    def opened(self, vault: Vault) -> list[str]:
        """Return the secrets that sign the delivery. Raises `Unopenable`."""
        return [vault.open(secret.blob, place_of(self.endpoint, secret.id)) for secret in self.secrets]


@frozen(kw_only=True)
class Attempt:
    """An attempt that was made and isn't recorded yet."""

    assignment: Assignment
    answer: AttemptResult
    verdict: Verdict
    retry_after: timedelta | None

    @property
    def claim(self) -> ClaimedDelivery:
        """The claim that the attempt was made under."""
        return self.assignment.claim


def claim(work: UnitOfWork, free: Mapping[int, int]) -> list[Assignment]:
    """Claim due deliveries: at most `free[endpoint id]` for each endpoint."""
    claims = [
        taken
        for endpoint_id, places in free.items()
        for taken in deliveries.claim(work.connection, endpoint_id, limit=places, now=work.now)
    ]
    if not claims:
        return []
    events = outbox.by_ids(work.connection, [taken.event_id for taken in claims])
    known = {endpoint.id: endpoint for endpoint in endpoints.every(work.connection)}
    secrets: dict[int, list[SealedSecret]] = defaultdict(list)
    for sealed in endpoints.secrets(work.connection, free, now=work.now):
        secrets[sealed.endpoint_id].append(sealed)
    return [
        Assignment(
            claim=taken,
            event=events[taken.event_id],
            endpoint=known[taken.endpoint_id].reference,
            url=known[taken.endpoint_id].url,
            was_failing=known[taken.endpoint_id].failing_since is not None,
            secrets=tuple(secrets[taken.endpoint_id]),
        )
        for taken in claims
        if taken.endpoint_id in secrets  # without secrets, the endpoint was deleted at this moment
    ]


def record(work: UnitOfWork, attempts: Sequence[Attempt]) -> list[DeliveryState | None]:
    """Record attempts and what follows from them, and return the state of each delivery after that.

    If the worker lost its lease of a delivery to another worker, only that attempt is recorded, and its state is None.
    """
    endings = [_ending(work, attempt) for attempt in attempts]
    # Lock lines before endpoints, as the dispatcher does.
    mine = deliveries.end_attempts(work.connection, endings, now=work.now)
    answers = [(attempt.claim.id, attempt.answer) for attempt in attempts]
    delivery_records.add_attempts(work.connection, work.business.identifiers, answers, now=work.now)
    ended = [(attempt, end.state) for attempt, end, held in zip(attempts, endings, mine, strict=True) if held]
    lines = {
        (attempt.claim.endpoint_id, attempt.claim.subject)
        for attempt, state in ended
        if state is not DeliveryState.PENDING and attempt.claim.replay == 0
    }
    if lines and deliveries.advance(work.connection, lines, now=work.now):
        signal(work.connection, DELIVERIES)
    by_endpoint: dict[int, list[Attempt]] = defaultdict(list)
    for attempt, state in ended:
        by_endpoint[attempt.claim.endpoint_id].append(attempt)
        if state is DeliveryState.FAILED:
            _audit_dead_letter(work, attempt.assignment, attempt.answer)
    for endpoint_id in sorted(by_endpoint):  # sorted, so that two workers never wait for each other
        _count(work, endpoint_id, by_endpoint[endpoint_id])
    return [end.state if held else None for end, held in zip(endings, mine, strict=True)]


def forget_attempts(connection: Connection, *, now: datetime) -> int:
    """Delete up to 1000 attempts that are older than 90 days, and return how many. The deliveries stay."""
    return delivery_records.forget_attempts(connection, before=now - ATTEMPTS_KEPT, limit=_FORGOTTEN_AT_ONCE)


def _ending(work: UnitOfWork, attempt: Attempt) -> Ending:
    """Return how the delivery stands after an attempt."""
    claim, wait, state = attempt.claim, None, DeliveryState.DELIVERED
    if attempt.verdict is not Verdict.DELIVERED:
        chance = work.business.identifiers.random_bits(16) / 0x8000 - 1
        schedule = work.business.webhooks.schedule
        wait = schedule.wait(claim.attempts + 1, retry_after=attempt.retry_after, chance=chance)
        state = DeliveryState.FAILED if wait is None else DeliveryState.PENDING
    return Ending(
        claim=claim,
        state=state,
        next_attempt_at=None if wait is None else work.now + wait,
        last_status=attempt.answer.status,
        last_error=attempt.answer.error,
    )


def _count(work: UnitOfWork, endpoint_id: int, attempts: Sequence[Attempt]) -> None:
    """Count the failures of an endpoint in a row, and disable it after too many, or if it is gone."""
    if all(attempt.verdict is Verdict.DELIVERED for attempt in attempts):
        # If the endpoint began to fail after the claim, its next success resets that.
        if any(attempt.assignment.was_failing for attempt in attempts):
            endpoints.succeeded(work.connection, endpoint_id)
        return
    endpoint = endpoints.by_id(work.connection, endpoint_id, lock=True)
    assert endpoint is not None  # deleting an endpoint cancels its deliveries
    since, failures = endpoint.failing_since, endpoint.failures
    for attempt in attempts:
        since, failures = (None, 0) if attempt.verdict is Verdict.DELIVERED else (since or work.now, failures + 1)
    endpoints.change(work.connection, endpoint_id, failing_since=since, failures=failures)
    if endpoint.state is EndpointState.DISABLED:
        return  # these attempts were under way when the endpoint was disabled
    if any(attempt.verdict is Verdict.GONE for attempt in attempts):
        disable(work, endpoint, reason="gone")
    elif since is not None and is_given_up(failing_since=since, failures=failures, now=work.now):
        disable(work, endpoint, reason="failing")


def _audit_dead_letter(work: UnitOfWork, assignment: Assignment, answer: AttemptResult) -> None:
    work.audit(
        "webhook.failed",
        assignment.event.reference,
        details={
            "endpoint": assignment.endpoint,
            "attempts": assignment.claim.attempts + 1,
            "status": answer.status,
            "error": answer.error,
        },
    )
