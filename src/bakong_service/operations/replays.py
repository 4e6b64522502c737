"""Deliveries made again: one, or all of a stretch of the feed. A replay stands outside the order of its subject.

A receiver knows a replayed event by its id, which stays the same.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import Connection

from bakong_service.domain.delivery import DeliveryState
from bakong_service.domain.endpoint import Endpoint
from bakong_service.domain.errors import Conflict, NotFound
from bakong_service.domain.event import Event
from bakong_service.operations import endpoints as endpoint_operations
from bakong_service.operations.business import Business
from bakong_service.storage import audit, deliveries, delivery_records, endpoints, outbox
from bakong_service.storage.deliveries import NewDelivery
from bakong_service.storage.signals import DELIVERIES, signal

_AT_ONCE = 1000  # deliveries a call: a tenth of a second


@frozen(kw_only=True)
class Replayed:
    """How many deliveries were made, and where in the feed to go on; None where the end was reached."""

    count: int
    next_after: int | None


def replay(
    connection: Connection,
    business: Business,
    reference: str,
    *,
    since: datetime,
    until: datetime | None = None,
    failed_only: bool = True,
    after: int = 0,
    actor: str,
    now: datetime,
) -> Replayed:
    """Deliver again what was written from `since` on and before `until`: the dead letters, or everything of the
    endpoint's event types, whether it was ever sent there or not.

    One call looks at 1000 events behind the place `after`; go on with `next_after`. Raises `NotFound`.
    """
    endpoint = endpoint_operations.get(connection, reference, lock=True)
    events = outbox.feed(connection, after=after, since=since, until=until, limit=_AT_ONCE)
    if failed_only:
        dead = delivery_records.dead_letters(connection, endpoint.id, [event.id for event in events])
        wanted = [event for event in events if event.id in dead]
    else:
        wanted = [event for event in events if endpoint.wants(event)]
    _add(connection, business, endpoint, wanted, now=now)
    details = {"since": since.isoformat(), "until": until and until.isoformat(), "count": len(wanted)}
    _audit(connection, business, actor, reference, details, now=now)
    more = len(events) == _AT_ONCE
    return Replayed(count=len(wanted), next_after=events[-1].feed_position if more else None)


def retry(connection: Connection, business: Business, reference: str, *, actor: str, now: datetime) -> str:
    """Try a delivery now: one that waits for its next attempt goes at once, one that has ended is replayed.

    The reference of the delivery that will be made. Raises `NotFound`, and `Conflict` where it waits for an earlier
    event of its subject, or its endpoint is deleted.
    """
    delivery = deliveries.held(connection, reference)
    if delivery is None:
        raise NotFound("delivery_not_found", f"there is no delivery {reference}")
    endpoint = endpoints.by_id(connection, delivery.endpoint_id, lock=True)
    if endpoint is None:
        raise Conflict("endpoint_deleted", f"the endpoint of {reference} is deleted")
    _audit(connection, business, actor, reference, None, now=now)
    if delivery.state is not DeliveryState.PENDING:
        (event,) = outbox.by_ids(connection, [delivery.event_id]).values()
        return _add(connection, business, endpoint, [event], now=now)[0]
    if delivery.next_attempt_at is None:
        raise Conflict("delivery_waits", f"{reference} waits for an earlier event of {delivery.subject}")
    if deliveries.hurry(connection, endpoint.id, delivery_id=delivery.id, now=now):
        signal(connection, DELIVERIES)
    return reference


def _add(
    connection: Connection, business: Business, endpoint: Endpoint, events: Sequence[Event], *, now: datetime
) -> list[str]:
    if not events:
        return []
    last = delivery_records.last_replays(connection, endpoint.id, [event.id for event in events])
    new = [
        NewDelivery(
            event_id=event.id,
            endpoint_id=endpoint.id,
            subject=event.subject,
            sequence=event.sequence,
            replay=last.get(event.id, 0) + 1,
            due_at=now,
        )
        for event in events
    ]
    signal(connection, DELIVERIES)
    return deliveries.add(connection, business.identifiers, new, now=now)


def _audit(
    connection: Connection,
    business: Business,
    actor: str,
    subject: str,
    details: dict[str, Any] | None,
    *,
    now: datetime,
) -> None:
    audit.write(
        connection,
        business.identifiers,
        action="webhook.replayed",
        actor=actor,
        subject=subject,
        details=details,
        now=now,
    )
