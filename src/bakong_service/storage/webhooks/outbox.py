"""The outbox and the feed. An event is written together with its change, and gets its place in the feed later."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, bindparam, func, select, update

from bakong_service.domain.event import EVENT_TYPES, Event, NewEvent
from bakong_service.domain.identifiers import Identifiers, least_number
from bakong_service.storage.engine.bulk import Bulk
from bakong_service.storage.engine.inserting import insert_row
from bakong_service.storage.engine.prepared import prepared
from bakong_service.storage.engine.signals import EVENTS, signal
from bakong_service.storage.schema import events, restores

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

_BEFORE = select(
    func.coalesce(func.max(events.c.subject_seq), 0),
    func.count().filter(events.c.type == bindparam("wanted_type")),
    select(func.coalesce(func.max(restores.c.first_sequence), 1)).scalar_subquery(),
).where(events.c.subject == bindparam("wanted"))

_OLDEST_UNDISPATCHED = select(events.c.created_at).where(events.c.feed_pos.is_(None)).order_by(events.c.id).limit(1)
_BY_IDS = Bulk(lambda wanted: select(*_COLUMNS).join(wanted, events.c.id == wanted.c.id), id=BigInteger)
_PLACE = Bulk(
    lambda placed: update(events).where(events.c.id == placed.c.id).values(feed_pos=placed.c.position),
    id=BigInteger,
    position=BigInteger,
)


def append(
    connection: Connection, identifiers: Identifiers, event: NewEvent, *, first: bool = False, now: datetime
) -> str:
    """Write an event in the caller's transaction. Return its reference, `evt_…`.

    Its number is the next one of its subject; after a restore it is greater than any number before the restore. The
    caller has locked the subject's row, or has just made it. If two callers have no lock, the unique key refuses one of
    them. `first` says that the subject was made in this transaction, so that it can't have events yet. Raises
    `ValueError` for an unknown type.
    """
    if event.type not in EVENT_TYPES:
        raise ValueError(f"{event.type!r} isn't an event type; domain/event.py lists them")
    last, of_type, first_sequence = 0, 0, 1
    if not first:
        before = prepared(connection.dialect, _BEFORE)
        row = before.first(connection, {"wanted": event.subject, "wanted_type": event.type})
        assert row is not None  # it counts, and counting nothing is a row too
        last, of_type, first_sequence = row
    reference = event.reference(of_type + 1)
    insert_row(
        connection,
        events,
        {
            "id": identifiers.number(now),
            "reference": reference,
            "type": event.type,
            "subject": event.subject,
            "subject_seq": max(last + 1, first_sequence),
            "previous_status": event.previous_status,
            "payload": event.data,
            "created_at": now,
        },
    )
    signal(connection, EVENTS)
    return reference


def take_dispatching(connection: Connection) -> bool:
    """Become the only dispatcher until the transaction ends. Return False if there is another one."""
    if connection.dialect.name != "postgresql":
        return True  # a SQLite file has one writer
    return bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({_DISPATCHING})").scalar_one())


def undispatched(connection: Connection, *, limit: int) -> list[Event]:
    """Return at most `limit` events without a place in the feed, oldest first, and one of each subject."""
    earlier = events.alias("earlier")
    waits = (
        select(earlier.c.id)
        .where(
            earlier.c.subject == events.c.subject,
            earlier.c.subject_seq < events.c.subject_seq,
            earlier.c.feed_pos.is_(None),
        )
        .exists()
    )
    return _all(
        connection, select(*_COLUMNS).where(events.c.feed_pos.is_(None), ~waits).order_by(events.c.id).limit(limit)
    )


def oldest_undispatched(connection: Connection) -> datetime | None:
    """Return when the oldest event without a place in the feed was written; None if every event has one."""
    row = prepared(connection.dialect, _OLDEST_UNDISPATCHED).first(connection, {})
    return None if row is None else row[0]


def last_position(connection: Connection) -> int:
    """Return the last place of the feed; 0 if the feed is empty."""
    placed = select(func.max(events.c.feed_pos)).where(events.c.feed_pos.is_not(None))
    last: int | None = connection.execute(placed).scalar_one()
    return last or 0


def reference_at(connection: Connection, position: int) -> str | None:
    """Return the reference of the event at a place in the feed; None if there is none."""
    return connection.execute(select(events.c.reference).where(events.c.feed_pos == position)).scalar_one_or_none()


def last_position_before(connection: Connection, moment: datetime) -> int:
    """Return the last place in the feed before the first event that was written at `moment` or later; 0 if none is."""
    newer = (events.c.id >= least_number(moment), events.c.feed_pos.is_not(None))
    first: int | None = connection.execute(select(func.min(events.c.feed_pos)).where(*newer)).scalar_one()
    return last_position(connection) if first is None else first - 1


def place(connection: Connection, positions: Iterable[tuple[int, int]]) -> None:
    """Write the places of events in the feed, by the events' ids."""
    _PLACE.write(connection, list(positions))


def by_reference(connection: Connection, reference: str) -> Event | None:
    """Return an event, also if it has no place in the feed yet."""
    found = _all(connection, select(*_COLUMNS).where(events.c.reference == reference))
    return found[0] if found else None


def by_ids(connection: Connection, ids: Sequence[int]) -> dict[int, Event]:
    """Return events by their ids."""
    return {row[0]: _event(row) for row in _BY_IDS.read(connection, [(event_id,) for event_id in ids])}


def feed(
    connection: Connection,
    *,
    above: int | None = None,
    below: int | None = None,
    types: Iterable[str] = (),
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
) -> list[Event]:
    """Return events in the order of the feed: those above a position, or from `below` backwards. `since` and `until`
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
    if above is not None:
        query = query.where(events.c.feed_pos > above)
    if below is not None:
        return _all(connection, query.where(events.c.feed_pos < below).order_by(events.c.feed_pos.desc()).limit(limit))
    return _all(connection, query.order_by(events.c.feed_pos).limit(limit))


def _all(connection: Connection, query: Select[*tuple[object, ...]]) -> list[Event]:
    return [_event(row) for row in connection.execute(query)]


def _event(row: Sequence[Any]) -> Event:
    number, reference, kind, subject, sequence, previous_status, data, created_at, feed_position = row
    return Event(
        id=number,
        reference=reference,
        type=kind,
        subject=subject,
        sequence=sequence,
        previous_status=previous_status,
        data=data,
        created_at=created_at,
        feed_position=feed_position,
    )
