"""The outbox and the feed: an event is written with the change it tells of and gets its place in the feed after it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, Select, bindparam, func, select, update

from bakong_service.domain.event import EVENT_TYPES, Event, NewEvent
from bakong_service.domain.identifiers import Identifiers
from bakong_service.storage.inserting import insert_row
from bakong_service.storage.schema import events
from bakong_service.storage.signals import EVENTS, signal

_DISPATCHING = 0x6576_656E  # "even"
_COLUMNS = (
    events.c.id,
    events.c.reference,
    events.c.type,
    events.c.subject,
    events.c.subject_seq,
    events.c.previous_status,
    events.c.payload,
    events.c.created_at,
    events.c.feed_pos,
)

_LAST = select(func.coalesce(func.max(events.c.subject_seq), 0)).where(events.c.subject == bindparam("wanted"))


def append(
    connection: Connection, identifiers: Identifiers, event: NewEvent, *, first: bool = False, now: datetime
) -> str:
    """Write an event in the caller's transaction; its reference, `evt_…`.

    Its number is the next within its subject: the caller holds the subject's row, or has just made it. Two who
    don't meet at the unique key, and one of them is rolled back. `first` says that the subject was made in this very
    transaction, so that nobody need look. Raises `ValueError` for a type that isn't documented.
    """
    if event.type not in EVENT_TYPES:
        raise ValueError(f"{event.type!r} isn't an event type; domain/event.py lists them")
    last = 0 if first else connection.execute(_LAST, {"wanted": event.subject}).scalar_one()
    reference = identifiers.reference("evt")
    insert_row(
        connection,
        events,
        {
            "id": identifiers.number(now),
            "reference": reference,
            "type": event.type,
            "subject": event.subject,
            "subject_seq": last + 1,
            "previous_status": event.previous_status,
            "payload": event.data,
            "created_at": now,
        },
    )
    signal(connection, EVENTS)
    return reference


def take_dispatching(connection: Connection) -> bool:
    """Be the one dispatcher until the transaction ends; False where another one is."""
    if connection.dialect.name != "postgresql":
        return True  # a SQLite file has one writer
    return bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({_DISPATCHING})").scalar_one())


def undispatched(connection: Connection, *, limit: int) -> list[Event]:
    """The first event of each subject that has no place in the feed yet, oldest first: at most `limit`."""
    earlier = events.alias("earlier")
    waits = (
        select(earlier.c.id)
        .where(
            earlier.c.subject == events.c.subject,
            earlier.c.subject_seq == events.c.subject_seq - 1,
            earlier.c.feed_pos.is_(None),
        )
        .exists()
    )
    return _all(
        connection, select(*_COLUMNS).where(events.c.feed_pos.is_(None), ~waits).order_by(events.c.id).limit(limit)
    )


def oldest_undispatched(connection: Connection) -> datetime | None:
    """When the oldest event without a place in the feed was written; None when all have one. Its age is the lag."""
    return connection.execute(
        select(events.c.created_at).where(events.c.feed_pos.is_(None)).order_by(events.c.id).limit(1)
    ).scalar_one_or_none()


def last_position(connection: Connection) -> int:
    """The last place given in the feed; 0 before the first."""
    placed = select(func.max(events.c.feed_pos)).where(events.c.feed_pos.is_not(None))
    last: int | None = connection.execute(placed).scalar_one()
    return last or 0


def place(connection: Connection, positions: Iterable[tuple[int, int]]) -> None:
    """Give events, by id, their places in the feed."""
    connection.execute(
        update(events).where(events.c.id == bindparam("event_id")).values(feed_pos=bindparam("position")),
        [{"event_id": event_id, "position": position} for event_id, position in positions],
    )


def by_reference(connection: Connection, reference: str) -> Event | None:
    """One event, whether it has a place in the feed or not."""
    found = _all(connection, select(*_COLUMNS).where(events.c.reference == reference))
    return found[0] if found else None


def by_ids(connection: Connection, ids: Sequence[int]) -> dict[int, Event]:
    """Events by their ids."""
    return {event.id: event for event in _all(connection, select(*_COLUMNS).where(events.c.id.in_(ids)))}


def feed(
    connection: Connection,
    *,
    after: int | None = None,
    before: int | None = None,
    types: Iterable[str] = (),
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
) -> list[Event]:
    """Events in the order of the feed: those after a position, or from a position backwards. `since` and `until`
    bound when they were written; the latter is excluded."""
    query = select(*_COLUMNS).where(events.c.feed_pos.is_not(None))
    if wanted := list(types):
        query = query.where(events.c.type.in_(wanted))
    if subject is not None:
        query = query.where(events.c.subject == subject)
    if since is not None:
        query = query.where(events.c.created_at >= since)
    if until is not None:
        query = query.where(events.c.created_at < until)
    if after is not None:
        query = query.where(events.c.feed_pos > after)
    if before is not None:
        return _all(connection, query.where(events.c.feed_pos < before).order_by(events.c.feed_pos.desc()).limit(limit))
    return _all(connection, query.order_by(events.c.feed_pos).limit(limit))


def _all(connection: Connection, query: Select[*tuple[object, ...]]) -> list[Event]:
    return [_event(row) for row in connection.execute(query)]


def _event(row: Row[*tuple[object, ...]]) -> Event:
    return Event(
        id=row.id,
        reference=row.reference,
        type=row.type,
        subject=row.subject,
        sequence=row.subject_seq,
        previous_status=row.previous_status,
        data=row.payload,
        created_at=row.created_at,
        feed_position=row.feed_pos,
    )
