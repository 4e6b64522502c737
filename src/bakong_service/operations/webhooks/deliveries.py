"""Claims deliveries for a worker, and records each attempt and what follows from it."""

from collections import defaultdict
from collections.abc import Mapping
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
from bakong_service.storage.webhooks.deliveries import Claim
from bakong_service.storage.webhooks.endpoints import SealedSecret
from bakong_service.vault import Vault

ATTEMPTS_KEPT = timedelta(days=90)
_FORGOTTEN_AT_ONCE = 1000


@frozen(kw_only=True)
class Assignment:
    """A delivery that a worker has claimed, with everything that an attempt needs."""

    claim: Claim
    event: Event
    endpoint: str  # its reference, we_...
    url: str
    was_failing: bool  # whether the endpoint was failing when the delivery was claimed
    secrets: tuple[SealedSecret, ...] = field(repr=False)

    def opened(self, vault: Vault) -> list[str]:
        """Return the secrets that sign the delivery. Raises `Unopenable`."""
        return [vault.open(secret.blob, place_of(self.endpoint, secret.id)) for secret in self.secrets]


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


def record(
    work: UnitOfWork, assignment: Assignment, answer: AttemptResult, verdict: Verdict, *, retry_after: timedelta | None
) -> DeliveryState | None:
    """Record an attempt and what follows from it, and return the delivery's state after that.

    If the worker lost its lease to another worker, only the attempt is recorded, and None is returned.
    """
    claim = assignment.claim
    delivery_records.add_attempt(work.connection, work.business.identifiers, claim.id, answer, now=work.now)
    wait = None
    state = DeliveryState.DELIVERED
    if verdict is not Verdict.DELIVERED:
        chance = work.business.identifiers.random_bits(16) / 0x8000 - 1
        wait = work.business.webhooks.schedule.wait(claim.attempts + 1, retry_after=retry_after, chance=chance)
        state = DeliveryState.FAILED if wait is None else DeliveryState.PENDING
    mine = deliveries.end_attempt(
        work.connection,
        claim,
        state=state.value,
        next_attempt_at=None if wait is None else work.now + wait,
        finished_at=work.now if wait is None else None,
        last_status=answer.status,
        last_error=answer.error,
    )
    if not mine:
        return None
    if state is DeliveryState.DELIVERED:
        # If the endpoint began to fail after the claim, its next success resets that.
        if assignment.was_failing:
            endpoints.succeeded(work.connection, claim.endpoint_id)
    else:
        _failed(work, claim.endpoint_id, verdict)
    if state is DeliveryState.FAILED:
        _audit_dead_letter(work, assignment, answer)
    in_line = state is not DeliveryState.PENDING and claim.replay == 0
    if in_line and deliveries.advance(work.connection, claim.endpoint_id, claim.subject, now=work.now):
        signal(work.connection, DELIVERIES)
    return state


def forget_attempts(connection: Connection, *, now: datetime) -> int:
    """Delete up to 1000 attempts that are older than 90 days, and return how many. The deliveries stay."""
    return delivery_records.forget_attempts(connection, before=now - ATTEMPTS_KEPT, limit=_FORGOTTEN_AT_ONCE)


def _failed(work: UnitOfWork, endpoint_id: int, verdict: Verdict) -> None:
    endpoint = endpoints.by_id(work.connection, endpoint_id, lock=True)
    assert endpoint is not None  # deleting an endpoint cancels its deliveries
    since, failures = endpoint.failing_since or work.now, endpoint.failures + 1
    endpoints.change(work.connection, endpoint_id, failing_since=since, failures=failures)
    if endpoint.state is EndpointState.DISABLED:
        return  # this attempt was under way when the endpoint was disabled
    if verdict is Verdict.GONE:
        disable(work, endpoint, reason="gone")
    elif is_given_up(failing_since=since, failures=failures, now=work.now):
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
