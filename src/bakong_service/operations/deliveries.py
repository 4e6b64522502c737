"""An attempt at a delivery: taken by one worker, then written down with what follows from it."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import field, frozen
from sqlalchemy import Connection

from bakong_service.domain.delivery import Answer, DeliveryState, Verdict, is_given_up
from bakong_service.domain.endpoint import EndpointState
from bakong_service.domain.event import Event
from bakong_service.operations.business import Business
from bakong_service.operations.endpoints import disable, place_of
from bakong_service.storage import audit, deliveries, delivery_records, endpoints, outbox
from bakong_service.storage.deliveries import Claim
from bakong_service.storage.signals import DELIVERIES, signal
from bakong_service.vault import Vault

ATTEMPTS_KEPT = timedelta(days=90)
_FORGOTTEN_AT_ONCE = 1000


@frozen(kw_only=True)
class Assignment:
    """A delivery that a worker has claimed, with all that it takes to make an attempt."""

    claim: Claim
    event: Event
    endpoint: str  # we_…
    url: str
    was_failing: bool  # the endpoint, when this was claimed
    secrets: tuple[bytes, ...] = field(repr=False)  # sealed

    def opened(self, vault: Vault) -> list[str]:
        """The secrets that sign it. Raises `Unopenable`."""
        return [vault.open(secret, place_of(self.endpoint)) for secret in self.secrets]


def claim(connection: Connection, free: Mapping[int, int], *, now: datetime) -> list[Assignment]:
    """Take what is due, at most `free[endpoint id]` deliveries each, with all that an attempt needs."""
    claims = [
        taken
        for endpoint_id, places in free.items()
        for taken in deliveries.claim(connection, endpoint_id, limit=places, now=now)
    ]
    if not claims:
        return []
    events = outbox.by_ids(connection, [taken.event_id for taken in claims])
    known = {endpoint.id: endpoint for endpoint in endpoints.every(connection)}
    secrets: dict[int, list[bytes]] = defaultdict(list)
    for sealed in endpoints.secrets(connection, free, now=now):
        secrets[sealed.endpoint_id].append(sealed.blob)
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
        if taken.endpoint_id in secrets  # else it was deleted in this very moment
    ]


def record(
    connection: Connection,
    business: Business,
    assignment: Assignment,
    answer: Answer,
    verdict: Verdict,
    *,
    retry_after: timedelta | None,
    now: datetime,
) -> DeliveryState | None:
    """Write down an attempt and what follows from it; the delivery's state after it.

    A worker whose lease ended, and whose delivery another one took, leaves the attempt and changes nothing else: None.
    """
    claim = assignment.claim
    delivery_records.add_attempt(connection, business.identifiers, claim.id, answer, now=now)
    wait = None
    state = DeliveryState.DELIVERED
    if verdict is not Verdict.DELIVERED:
        chance = business.identifiers.random_bits(16) / 0x8000 - 1
        wait = business.webhooks.schedule.wait(claim.attempts + 1, retry_after=retry_after, chance=chance)
        state = DeliveryState.FAILED if wait is None else DeliveryState.PENDING
    mine = deliveries.end_attempt(
        connection,
        claim,
        state=state.value,
        next_attempt_at=None if wait is None else now + wait,
        finished_at=now if wait is None else None,
        last_status=answer.status,
        last_error=answer.error,
    )
    if not mine:
        return None
    if state is DeliveryState.DELIVERED:
        # One that began to fail after the claim is put right by the next success.
        if assignment.was_failing:
            endpoints.succeeded(connection, claim.endpoint_id)
    else:
        _failed(connection, business, claim.endpoint_id, verdict, now=now)
    if state is DeliveryState.FAILED:
        _audit_dead_letter(connection, business, assignment, answer, now=now)
    in_line = state is not DeliveryState.PENDING and claim.replay == 0
    if in_line and deliveries.advance(connection, claim.endpoint_id, claim.subject, now=now):
        signal(connection, DELIVERIES)
    return state


def forget_attempts(connection: Connection, *, now: datetime) -> int:
    """Delete attempts that are older than 90 days, up to 1000 of them; how many. The deliveries themselves stay."""
    return delivery_records.forget_attempts(connection, before=now - ATTEMPTS_KEPT, limit=_FORGOTTEN_AT_ONCE)


def _failed(connection: Connection, business: Business, endpoint_id: int, verdict: Verdict, *, now: datetime) -> None:
    endpoint = endpoints.by_id(connection, endpoint_id, lock=True)
    assert endpoint is not None  # whoever deletes one cancels its deliveries with it
    since, failures = endpoint.failing_since or now, endpoint.failures + 1
    endpoints.change(connection, endpoint_id, failing_since=since, failures=failures)
    if endpoint.state is EndpointState.DISABLED:
        return  # others were under way when it was
    if verdict is Verdict.GONE:
        disable(connection, business, endpoint, reason="gone", now=now)
    elif is_given_up(failing_since=since, failures=failures, now=now):
        disable(connection, business, endpoint, reason="failing", now=now)


def _audit_dead_letter(
    connection: Connection, business: Business, assignment: Assignment, answer: Answer, *, now: datetime
) -> None:
    audit.write(
        connection,
        business.identifiers,
        action="webhook.failed",
        actor="system:webhooks",
        subject=assignment.event.reference,
        details={
            "endpoint": assignment.endpoint,
            "attempts": assignment.claim.attempts + 1,
            "status": answer.status,
            "error": answer.error,
        },
        now=now,
    )
