"""Deliveries: which ones are due, which worker makes the next attempt, and its result.

The deliveries of one subject to one endpoint wait in a line. Only the first of the line has `next_attempt_at`; when it
is finished, the worker calls `advance` for the next one. A replay always has `next_attempt_at`, because it is in no
line.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from attrs import frozen
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Insert,
    Integer,
    Subquery,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from bakong_service.domain.delivery import DeliveryState
from bakong_service.domain.endpoint import EndpointState
from bakong_service.domain.event import Event
from bakong_service.domain.identifiers import Identifiers
from bakong_service.storage.engine.bulk import Bulk, GivenRow
from bakong_service.storage.engine.columns import Moment, microseconds
from bakong_service.storage.engine.prepared import prepared
from bakong_service.storage.schema import deliveries, endpoints

LEASE = timedelta(seconds=30)
"""How long a claim holds: three times the longest attempt. After that another worker may take the delivery."""

_PENDING = deliveries.c.state == literal_column(
    "'pending'"
)  # not a parameter, because it must match the partial indexes
_CLAIMED = ("id", "fence", "event_id", "endpoint_id", "subject", "replay", "attempts")


@frozen(kw_only=True)
class NewDelivery:
    """A delivery that will be written. If `due_at` is None, it waits for an earlier event of its subject."""

    event_id: int
    endpoint_id: int
    subject: str
    sequence: int
    replay: int = 0
    due_at: datetime | None

    @classmethod
    def of(cls, event: Event, endpoint_id: int, *, replay: int = 0, due_at: datetime | None) -> "NewDelivery":
        """Return the delivery of an event to an endpoint."""
        return cls(
            event_id=event.id,
            endpoint_id=endpoint_id,
            subject=event.subject,
            sequence=event.sequence,
            replay=replay,
            due_at=due_at,
        )

    @property
    def row(self) -> tuple[int | str | None, ...]:
        """What is written, in the order of `_ADDED`."""
        due = None if self.due_at is None else microseconds(self.due_at)
        return (self.event_id, self.endpoint_id, self.subject, self.sequence, self.replay, due)


@frozen(kw_only=True)
class ClaimedDelivery:
    """A delivery that the caller may try until its lease ends."""

    id: int
    fence: int
    event_id: int
    endpoint_id: int
    subject: str
    replay: int
    attempts: int  # before this one


@frozen(kw_only=True)
class Ending:
    """How a claimed delivery stands after an attempt."""

    claim: ClaimedDelivery
    state: DeliveryState
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None

    def row(self, now: datetime) -> GivenRow:
        """Return what is written, in the order of `_END`'s columns."""
        due = None if self.next_attempt_at is None else microseconds(self.next_attempt_at)
        finished = None if self.state is DeliveryState.PENDING else microseconds(now)
        return (self.claim.id, self.state.value, due, finished, self.last_status, self.last_error)


@frozen(kw_only=True)
class Held:
    """A delivery whose row is locked."""

    id: int
    event_id: int
    endpoint_id: int
    subject: str
    state: DeliveryState
    next_attempt_at: datetime | None


def add(connection: Connection, identifiers: Identifiers, new: Sequence[NewDelivery], *, now: datetime) -> list[str]:
    """Write deliveries and return their references.

    A delivery that exists already for its event and endpoint is skipped.
    """
    references = [identifiers.reference("dlv") for _ in new]
    numbers = identifiers.numbers(now, len(new))
    rows = [
        (number, reference, *delivery.row) for number, reference, delivery in zip(numbers, references, new, strict=True)
    ]
    _ADD[connection.dialect.name].write(connection, rows, moment=now)
    return references


def lines(connection: Connection, subjects: Iterable[str]) -> set[tuple[int, str]]:
    """Return each (endpoint, subject) that already has a pending delivery.

    Their rows are locked in order, so that none of them can finish before the caller has added its own deliveries.
    """
    return {(row[0], row[1]) for row in _LINES.read(connection, [(subject,) for subject in subjects])}


def advance(connection: Connection, lines: Iterable[tuple[int, str]], *, now: datetime) -> bool:
    """Make the first delivery of each line (endpoint, subject) due. Return whether one of them wasn't due yet."""
    return _ADVANCE.write(connection, sorted(set(lines)), moment=now) > 0


def next_due(connection: Connection) -> dict[int, datetime]:
    """Return when each enabled endpoint has its next delivery due, by the endpoint's id, if it has one."""
    rows = prepared(connection.dialect, _NEXT_DUE).rows(connection, {})
    return {endpoint_id: due for endpoint_id, due in rows if due is not None}


def claim(connection: Connection, endpoint_id: int, *, limit: int, now: datetime) -> list[ClaimedDelivery]:
    """Claim up to `limit` due deliveries of an endpoint, longest due first. Two workers never get the same one."""
    ends = now + LEASE
    values = {"endpoint": endpoint_id, "most": limit, "moment": now, "ends": ends, "lease": microseconds(ends)}
    rows = prepared(connection.dialect, _CLAIM).rows(connection, values)
    return [ClaimedDelivery(**dict(zip(_CLAIMED, row, strict=True))) for row in rows]


def end_attempts(connection: Connection, endings: Sequence[Ending], *, now: datetime) -> list[bool]:
    """Change claimed deliveries and release them. Return for each whether the caller hasn't lost its claim.

    Their rows are locked in the order of `lines`. Otherwise the caller and a dispatcher could wait for each other.
    """
    claims = [(ending.claim.id, ending.claim.fence) for ending in endings]
    rows = _MINE.read(connection, claims)
    mine = {(delivery_id, fence) for delivery_id, fence, state in rows if state == DeliveryState.PENDING.value}
    _END.write(connection, [ending.row(now) for ending, given in zip(endings, claims, strict=True) if given in mine])
    return [given in mine for given in claims]


def held(connection: Connection, reference: str) -> Held | None:
    """Return a delivery, locked until the transaction ends."""
    wanted = select(deliveries).where(deliveries.c.reference == reference).with_for_update()
    row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    return Held(
        id=row.id,
        event_id=row.event_id,
        endpoint_id=row.endpoint_id,
        subject=row.subject,
        state=DeliveryState(row.state),
        next_attempt_at=row.next_attempt_at,
    )


def cancel_all(connection: Connection, endpoint_id: int, *, now: datetime) -> int:
    """Cancel every pending delivery of an endpoint. Return how many there were."""
    waiting = and_(_PENDING, deliveries.c.endpoint_id == endpoint_id)
    ended = {"state": DeliveryState.CANCELLED.value, "next_attempt_at": None, "finished_at": now}
    return connection.execute(update(deliveries).where(waiting).values(ended)).rowcount


def hurry(connection: Connection, endpoint_id: int, *, delivery_id: int | None = None, now: datetime) -> int:
    """Make the waiting deliveries of an endpoint due now, or one of them. Return how many there were."""
    waiting = and_(_PENDING, deliveries.c.endpoint_id == endpoint_id, deliveries.c.next_attempt_at > now)
    # A claimed delivery is being tried, and stays with its worker.
    query = update(deliveries).where(waiting, deliveries.c.lease_until <= microseconds(now))
    if delivery_id is not None:
        query = query.where(deliveries.c.id == delivery_id)
    return connection.execute(query.values(next_attempt_at=now)).rowcount


# The statements that a worker runs for each round of events or deliveries.

_ADDED = ("id", "reference", "event_id", "endpoint_id", "subject", "subject_seq", "replay", "next_attempt_at")


def _add(insert: Callable[[Table], sqlite.Insert | postgresql.Insert]) -> Bulk:
    """Return the INSERT of new deliveries. `insert` is the INSERT of a dialect."""

    def build(new: Subquery) -> Insert:
        state: ColumnElement[str] = literal_column(f"'{DeliveryState.PENDING.value}'")
        rows = select(*new.c, state, bindparam("moment", type_=Moment)).where(true())  # SQLite needs it before ON
        statement = insert(deliveries).from_select([*_ADDED, "state", "created_at"], rows)
        # The conflict is named, so that two equal ids are an error, after which the operation is run again.
        return statement.on_conflict_do_nothing(index_elements=["event_id", "endpoint_id", "replay"])

    return Bulk(
        build,
        id=BigInteger,
        reference=Text,
        event_id=BigInteger,
        endpoint_id=BigInteger,
        subject=Text,
        subject_seq=Integer,
        replay=Integer,
        next_attempt_at=BigInteger,
    )


_ADD = {"sqlite": _add(sqlite.insert), "postgresql": _add(postgresql.insert)}

_LINES = Bulk(
    lambda subjects: (
        select(deliveries.c.endpoint_id, deliveries.c.subject)
        .join(subjects, deliveries.c.subject == subjects.c.subject)
        .where(_PENDING, deliveries.c.replay == 0)
        .order_by(deliveries.c.endpoint_id, deliveries.c.subject, deliveries.c.subject_seq)
        .with_for_update(of=deliveries)
    ),
    subject=Text,
)

_NEXT_DUE = select(
    endpoints.c.id,
    select(func.min(deliveries.c.next_attempt_at))
    .where(_PENDING, deliveries.c.endpoint_id == endpoints.c.id, deliveries.c.next_attempt_at.is_not(None))
    .scalar_subquery()
    .label("due"),
).where(endpoints.c.state == EndpointState.ENABLED.value)

_DUE = (
    select(deliveries.c.id)
    .where(
        _PENDING,
        deliveries.c.endpoint_id == bindparam("endpoint"),
        deliveries.c.next_attempt_at <= bindparam("moment"),
    )
    .order_by(deliveries.c.next_attempt_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_CLAIM = (
    update(deliveries)
    .where(deliveries.c.id.in_(select(_DUE.c.id)))
    .values(fence=deliveries.c.fence + 1, next_attempt_at=bindparam("ends"), lease_until=bindparam("lease"))
    .returning(*(deliveries.c[name] for name in _CLAIMED))
)

_MINE = Bulk(
    lambda claims: (
        select(deliveries.c.id, deliveries.c.fence, deliveries.c.state)
        .join(claims, deliveries.c.id == claims.c.id)
        .where(deliveries.c.fence == claims.c.fence)  # without the state: else it might read every pending delivery
        .order_by(deliveries.c.endpoint_id, deliveries.c.subject, deliveries.c.subject_seq)
        .with_for_update(of=deliveries)
    ),
    id=BigInteger,
    fence=BigInteger,
)

_END = Bulk(
    lambda ended: (
        update(deliveries)
        .where(deliveries.c.id == ended.c.id)
        .values(
            state=ended.c.state,
            next_attempt_at=ended.c.due,
            finished_at=ended.c.finished,
            last_status=ended.c.status,
            last_error=ended.c.error,
            attempts=deliveries.c.attempts + 1,
            lease_until=0,
        )
    ),
    id=BigInteger,
    state=Text,
    due=BigInteger,
    finished=BigInteger,
    status=Integer,
    error=Text,
)


def _advance(lines: Subquery) -> Update:
    line = deliveries.alias("line")
    first = (
        select(line.c.id)
        .where(
            line.c.state == literal_column("'pending'"),
            line.c.replay == 0,
            line.c.endpoint_id == lines.c.endpoint_id,
            line.c.subject == lines.c.subject,
        )
        .order_by(line.c.subject_seq)
        .limit(1)
        .correlate(lines)
        .scalar_subquery()
    )
    waiting = and_(deliveries.c.id.in_(select(first).select_from(lines)), deliveries.c.next_attempt_at.is_(None))
    return update(deliveries).where(waiting).values(next_attempt_at=bindparam("moment"))


_ADVANCE = Bulk(_advance, endpoint_id=BigInteger, subject=Text)
