"""Delivers events again: the event of one delivery, or the events of a part of the feed.

A replay is a new delivery of an old event. It doesn't wait for earlier events of its subject. The event keeps its id,
so a receiver that already has it can recognise it.
"""

from collections.abc import Sequence
from datetime import datetime

from bakong_service.domain.delivery import Delivery, DeliveryState
from bakong_service.domain.endpoint import Endpoint
from bakong_service.domain.errors import Conflict, NotFound
from bakong_service.domain.event import Event
from bakong_service.domain.moment import moment
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.operations.webhooks import endpoints as endpoint_operations
from bakong_service.resources import Replay
from bakong_service.storage.engine.signals import DELIVERIES, signal
from bakong_service.storage.webhooks import deliveries, delivery_records, endpoints, outbox
from bakong_service.storage.webhooks.deliveries import NewDelivery

_AT_ONCE = 1000  # events in one call, which takes a tenth of a second


def replay(
    work: UnitOfWork,
    reference: str,
    *,
    since: datetime,
    until: datetime | None = None,
    failed_only: bool = True,
    after: int = 0,
) -> Replay:
    """Deliver again the events that were written from `since` on and before `until`.

    `reference` names the endpoint. Only events whose delivery to it failed are delivered again; without `failed_only`,
    every event that the endpoint wants, even if it was never sent there.

    One call reads 1000 events of the feed, those after the position `after`. To go on, call again with the `next_after`
    that comes back; it is None at the end. Raises `NotFound` if there is no such endpoint.
    """
    endpoint = endpoint_operations.get(work.connection, reference, lock=True)
    events = outbox.feed(work.connection, above=after, since=since, until=until, limit=_AT_ONCE)
    if failed_only:
        dead = delivery_records.dead_letters(work.connection, endpoint.id, [event.id for event in events])
        wanted = [event for event in events if event.id in dead]
    else:
        wanted = [event for event in events if endpoint.wants(event)]
    _add(work, endpoint, wanted)
    details = {"since": moment(since), "until": moment(until), "count": len(wanted)}
    work.audit("webhook.replayed", reference, details=details)
    more = len(events) == _AT_ONCE
    return Replay(count=len(wanted), next_after=events[-1].feed_position if more else None)


def retry(work: UnitOfWork, reference: str) -> Delivery:
    """Make the next attempt of the delivery `reference` due now. If the delivery has ended, replay its event instead.

    Return the delivery that will be attempted: the same one, or the replay. A delivery that a worker is attempting at
    this moment stays as it is. Raises `NotFound` if there is no such delivery, and `Conflict` if the delivery waits for
    an earlier event of its subject, or if its endpoint is deleted.
    """
    delivery = deliveries.held(work.connection, reference)
    if delivery is None:
        raise NotFound("delivery_not_found", f"there is no delivery {reference[:64]}")
    endpoint = endpoints.by_id(work.connection, delivery.endpoint_id, lock=True)
    if endpoint is None:
        raise Conflict("endpoint_deleted", f"the endpoint of {reference} is deleted")
    work.audit("webhook.replayed", reference)
    if delivery.state is not DeliveryState.PENDING:
        (event,) = outbox.by_ids(work.connection, [delivery.event_id]).values()
        return _delivery(work, _add(work, endpoint, [event])[0])
    if delivery.next_attempt_at is None:
        raise Conflict("delivery_waits", f"{reference} waits for an earlier event of {delivery.subject}")
    if deliveries.hurry(work.connection, endpoint.id, delivery_id=delivery.id, now=work.now):
        signal(work.connection, DELIVERIES)
    return _delivery(work, reference)


def _delivery(work: UnitOfWork, reference: str) -> Delivery:
    found = delivery_records.by_reference(work.connection, reference)
    assert found is not None  # made or held in this transaction
    return found


def _add(work: UnitOfWork, endpoint: Endpoint, events: Sequence[Event]) -> list[str]:
    """Add a replay of each event and return their references. The caller has locked the endpoint."""
    if not events:
        return []
    last = delivery_records.last_replays(work.connection, endpoint.id, [event.id for event in events])
    new = [NewDelivery.of(event, endpoint.id, replay=last.get(event.id, 0) + 1, due_at=work.now) for event in events]
    signal(work.connection, DELIVERIES)
    return deliveries.add(work.connection, work.business.identifiers, new, now=work.now)
