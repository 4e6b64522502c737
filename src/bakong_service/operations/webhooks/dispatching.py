"""Gives each event its place in the feed and makes its deliveries."""

from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.engine.signals import DELIVERIES, signal
from bakong_service.storage.webhooks import deliveries, endpoints, outbox
from bakong_service.storage.webhooks.deliveries import NewDelivery

_BATCH = 200  # events in one transaction, which takes a few milliseconds


def dispatch(work: UnitOfWork) -> int:
    """Give events their places in the feed, make their deliveries, and return how many events there were.

    One dispatcher at a time gives places, and only to committed events. So no event ever appears before a place that
    somebody has read already. Return 0 if another dispatcher is working.
    """
    if not outbox.take_dispatching(work.connection):
        return 0
    events = outbox.undispatched(work.connection, limit=_BATCH)
    if not events:
        return 0
    first = outbox.last_position(work.connection) + 1
    outbox.place(work.connection, [(event.id, position) for position, event in enumerate(events, first)])

    # Lock pending deliveries before endpoints, as the recording of an attempt does: else the two could deadlock.
    busy_lines = deliveries.lines(work.connection, [event.subject for event in events])
    listening = endpoints.every(work.connection, lock=True)
    wanted = [(event, endpoint) for event in events for endpoint in listening if endpoint.wants(event)]
    if wanted:
        # An endpoint gets the events of one subject in their order, so a delivery behind a pending one isn't due yet.
        # `events` has at most one event of each subject, so no two of these deliveries are in the same line.
        new = [
            NewDelivery.of(event, endpoint.id, due_at=None if (endpoint.id, event.subject) in busy_lines else work.now)
            for event, endpoint in wanted
        ]
        deliveries.add(work.connection, work.business.identifiers, new, now=work.now)
        signal(work.connection, DELIVERIES)
    return len(events)
