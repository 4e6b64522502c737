"""What callers read about events: a part of the feed, and a delivery with its attempts."""

from attrs import frozen
from sqlalchemy import Connection

from bakong_service.domain.errors import NotFound
from bakong_service.domain.event import Event
from bakong_service.domain.feed import FeedPlace
from bakong_service.resources import DeliveryWithAttempts
from bakong_service.storage.webhooks import delivery_records, outbox, restores


class FeedRestored(Exception):  # noqa: N818 - what happened
    """The reader's place belongs to a part of the feed that a restore lost. `go_on_at` is the last place it kept."""

    def __init__(self, go_on_at: FeedPlace | None) -> None:
        super().__init__("the database was restored from a backup")
        self.go_on_at = go_on_at


@frozen(kw_only=True)
class FeedPart:
    """Events in the order of the feed, and the places of the first and of the last of them."""

    events: list[Event]
    has_more: bool
    first: FeedPlace | None
    last: FeedPlace | None


def feed_part(
    connection: Connection,
    *,
    after: FeedPlace | None,
    before: FeedPlace | None,
    limit: int,
    event_type: str | None = None,
    subject: str | None = None,
) -> FeedPart:
    """Return at most `limit` events after or before a place. Raises `FeedRestored`."""
    asked, epoch = after or before, restores.epoch(connection)
    if asked is not None:
        standing = outbox.reference_at(connection, asked.position)
        if not asked.stands(epoch, standing):
            kept = asked.kept_position(restores.every(connection), standing)
            reference = outbox.reference_at(connection, kept)
            raise FeedRestored(None if reference is None else FeedPlace.of(epoch, kept, reference))
    found = outbox.feed(
        connection,
        above=None if after is None else after.position,
        below=None if before is None else before.position,
        types=() if event_type is None else (event_type,),
        subject=subject,
        limit=limit + 1,
    )
    events = found[:limit]
    if before is not None:
        events.reverse()
    first, last = (
        FeedPlace.of(epoch, events[end].feed_position or 0, events[end].reference) if events else asked
        for end in (0, -1)
    )
    return FeedPart(events=events, has_more=len(found) > limit, first=first, last=last)


def delivery(connection: Connection, reference: str) -> DeliveryWithAttempts:
    """Return a delivery with its attempts, the first attempt first. Raises `NotFound`."""
    found = delivery_records.by_reference(connection, reference)
    if found is None:
        raise NotFound("delivery_not_found", f"there is no delivery {reference[:64]}")
    return DeliveryWithAttempts.with_attempts(found, delivery_records.attempts(connection, reference))
