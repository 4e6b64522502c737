"""From an event to its place in the feed and its deliveries."""

from datetime import datetime

from sqlalchemy import Connection

from bakong_service.operations.business import Business
from bakong_service.storage import deliveries, endpoints, outbox
from bakong_service.storage.deliveries import NewDelivery
from bakong_service.storage.signals import DELIVERIES, signal

_BATCH = 200  # events a transaction: a few milliseconds


def dispatch(connection: Connection, business: Business, *, now: datetime) -> int:
    """Give events their places in the feed and fan them out to the endpoints; how many there were.

    A place is given only after the event's commit, by one dispatcher at a time: whoever reads the feed up to a place
    has read all that will ever stand before it. Answers 0 where another dispatcher is at it.
    """
    if not outbox.take_dispatching(connection):
        return 0
    events = outbox.undispatched(connection, limit=_BATCH)
    if not events:
        return 0
    first = outbox.last_position(connection) + 1
    outbox.place(connection, [(event.id, position) for position, event in enumerate(events, first)])

    # Lines before endpoints: the order in which whoever records an attempt locks them.
    taken = deliveries.lines(connection, [event.subject for event in events])
    listening = endpoints.every(connection, lock=True)
    wanted = [(event, endpoint) for event in events for endpoint in listening if endpoint.wants(event)]
    if wanted:
        new = [
            NewDelivery(
                event_id=event.id,
                endpoint_id=endpoint.id,
                subject=event.subject,
                sequence=event.sequence,
                due_at=None if (endpoint.id, event.subject) in taken else now,
            )
            for event, endpoint in wanted
        ]
        deliveries.add(connection, business.identifiers, new, now=now)
        signal(connection, DELIVERIES)
    return len(events)
