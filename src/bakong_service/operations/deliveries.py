"""An attempt at a delivery: taken by one worker, then written down with what follows from it."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bakong_service.domain.delivery import Answer, Assignment, DeliveryState, Verdict, is_given_up
from bakong_service.domain.endpoint import EndpointState
from bakong_service.operations.business import Business
from bakong_service.operations.endpoints import disable, place_of
from bakong_service.storage import audit, deliveries, endpoints, outbox
from bakong_service.storage.deliveries import Held
from bakong_service.storage.signals import DELIVERIES, signal

ATTEMPTS_KEPT = timedelta(days=90)
_FORGOTTEN_AT_ONCE = 1000


def claim(connection: Connection, business: Business, free: Mapping[int, int], *, now: datetime) -> list[Assignment]:
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
    secrets: dict[int, list[str]] = defaultdict(list)
    for sealed in endpoints.secrets(connection, free, now=now):
        place = place_of(known[sealed.endpoint_id].reference)
        secrets[sealed.endpoint_id].append(business.vault.open(sealed.blob, place))
    return [
        Assignment(
            delivery_id=taken.id,
            fence=taken.fence,
            event=events[taken.event_id],
            endpoint_id=taken.endpoint_id,
            endpoint=known[taken.endpoint_id].reference,
            url=known[taken.endpoint_id].url,
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
) -> DeliveryState:
    """Write down an attempt and what follows from it; the delivery's state after it.

    A worker whose lease ended and whose delivery another one took leaves the attempt, and changes nothing else.
    """
    deliveries.add_attempt(connection, business.identifiers, assignment.delivery_id, answer, now=now)
    delivery = deliveries.held(connection, delivery_id=assignment.delivery_id)
    assert delivery is not None  # deliveries are never deleted
    if delivery.fence != assignment.fence or delivery.state is not DeliveryState.PENDING:
        return delivery.state
    attempts = delivery.attempts + 1
    if verdict is Verdict.DELIVERED:
        _succeeded(connection, delivery.endpoint_id)
        return _finish(connection, delivery, DeliveryState.DELIVERED, attempts, answer, now=now)

    chance = business.identifiers.random_bits(16) / 0x8000 - 1
    wait = business.webhooks.schedule.wait(attempts, retry_after=retry_after, chance=chance)
    _failed(connection, business, delivery.endpoint_id, verdict, now=now)
    if wait is None:
        audit.write(
            connection,
            business.identifiers,
            action="webhook.failed",
            actor="system:webhooks",
            subject=delivery.reference,
            details={
                "event": assignment.event.reference,
                "endpoint": assignment.endpoint,
                "attempts": attempts,
                "status": answer.status,
            },
            now=now,
        )
        return _finish(connection, delivery, DeliveryState.FAILED, attempts, answer, now=now)
    deliveries.change(
        connection,
        delivery.id,
        attempts=attempts,
        next_attempt_at=now + wait,
        lease_until=0,
        last_status=answer.status,
        last_error=answer.error,
    )
    return DeliveryState.PENDING


def _finish(
    connection: Connection, delivery: Held, state: DeliveryState, attempts: int, answer: Answer, *, now: datetime
) -> DeliveryState:
    deliveries.change(
        connection,
        delivery.id,
        state=state.value,
        attempts=attempts,
        next_attempt_at=None,
        lease_until=0,
        last_status=answer.status,
        last_error=answer.error,
        finished_at=now,
    )
    if delivery.replay == 0 and deliveries.advance(connection, delivery.endpoint_id, delivery.subject, now=now):
        signal(connection, DELIVERIES)
    return state


def _succeeded(connection: Connection, endpoint_id: int) -> None:
    endpoint = endpoints.by_id(connection, endpoint_id)
    if endpoint is not None and endpoint.failing_since is not None:
        endpoints.change(connection, endpoint_id, failing_since=None, failures=0)


def _failed(connection: Connection, business: Business, endpoint_id: int, verdict: Verdict, *, now: datetime) -> None:
    endpoint = endpoints.by_id(connection, endpoint_id, lock=True)
    if endpoint is None:
        return
    since, failures = endpoint.failing_since or now, endpoint.failures + 1
    endpoints.change(connection, endpoint_id, failing_since=since, failures=failures)
    if endpoint.state is EndpointState.DISABLED:
        return  # others were under way when it was
    if verdict is Verdict.GONE:
        disable(connection, business, endpoint, reason="gone", now=now)
    elif is_given_up(failing_since=since, failures=failures, now=now):
        disable(connection, business, endpoint, reason="failing", now=now)


def forget_attempts(connection: Connection, *, now: datetime) -> int:
    """Delete attempts that are older than 90 days, up to 1000 of them; how many. The deliveries themselves stay."""
    return deliveries.forget_attempts(connection, before=now - ATTEMPTS_KEPT, limit=_FORGOTTEN_AT_ONCE)
