"""Deliveries as the API shows them, and their attempts."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, Row, Select, Text, and_, bindparam, delete, func, insert, select

from bakong_service.domain.delivery import Attempt, AttemptResult, Delivery, DeliveryState
from bakong_service.domain.identifiers import Identifiers, least_number
from bakong_service.storage.engine.bulk import Bulk
from bakong_service.storage.engine.columns import Moment
from bakong_service.storage.engine.paging import newest_first
from bakong_service.storage.schema import deliveries, delivery_attempts, endpoints, events


def add_attempts(
    connection: Connection, identifiers: Identifiers, answers: Sequence[tuple[int, AttemptResult]], *, now: datetime
) -> None:
    """Write attempts, each with the id of its delivery."""
    numbers = identifiers.numbers(now, len(answers))
    rows = [
        (number, delivery_id, answer.status, answer.error, _milliseconds(answer.duration), answer.response)
        for number, (delivery_id, answer) in zip(numbers, answers, strict=True)
    ]
    _ADD_ATTEMPTS.write(connection, rows, moment=now)


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)


_ADD_ATTEMPTS = Bulk(
    lambda made: insert(delivery_attempts).from_select(
        ["id", "delivery_id", "status", "error", "duration_ms", "response", "at"],
        select(*made.c, bindparam("moment", type_=Moment)),
    ),
    id=BigInteger,
    delivery_id=BigInteger,
    status=Integer,
    error=Text,
    duration_ms=Integer,
    response=Text,
)


def attempts(connection: Connection, reference: str) -> list[Attempt]:
    """Return the attempts of a delivery, oldest first. Attempts older than 90 days are deleted."""
    query = (
        select(delivery_attempts)
        .join(deliveries, deliveries.c.id == delivery_attempts.c.delivery_id)
        .where(deliveries.c.reference == reference)
        .order_by(delivery_attempts.c.at, delivery_attempts.c.id)
    )
    return [
        Attempt(status=row.status, error=row.error, duration_ms=row.duration_ms, response=row.response, at=row.at)
        for row in connection.execute(query)
    ]


def forget_attempts(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete up to `limit` attempts from before a moment. Return how many there were."""
    first_kept = Identifiers(lambda _: 0).number(before)  # ids rise with time and have an index
    old = select(delivery_attempts.c.id).where(delivery_attempts.c.id < first_kept).limit(limit)
    return connection.execute(delete(delivery_attempts).where(delivery_attempts.c.id.in_(old))).rowcount


def last_replays(connection: Connection, endpoint_id: int, event_ids: Sequence[int]) -> Mapping[int, int]:
    """Return the number of the last replay of each event at an endpoint; 0 if there was none."""
    query = (
        select(deliveries.c.event_id, func.max(deliveries.c.replay).label("last"))
        .where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.event_id.in_(event_ids))
        .group_by(deliveries.c.event_id)
    )
    return {row.event_id: row.last for row in connection.execute(query)}


def dead_letters(connection: Connection, endpoint_id: int, event_ids: Sequence[int]) -> set[int]:
    """Return which of the events have a failed last delivery to the endpoint."""
    last = (
        select(deliveries.c.event_id, func.max(deliveries.c.replay).label("replay"))
        .where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.event_id.in_(event_ids))
        .group_by(deliveries.c.event_id)
        .subquery()
    )
    query = (
        select(deliveries.c.event_id)
        .join(last, and_(deliveries.c.event_id == last.c.event_id, deliveries.c.replay == last.c.replay))
        .where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.state == DeliveryState.FAILED.value)
    )
    return set(connection.execute(query).scalars())


def page(
    connection: Connection,
    *,
    limit: int,
    below: int | None = None,
    above: int | None = None,
    endpoint: str | None = None,
    event: str | None = None,
    state: DeliveryState | None = None,
    created_from: datetime | None = None,
    created_until: datetime | None = None,
) -> list[Delivery]:
    """Return deliveries with ids below `below`, newest first, or above `above`, oldest first.

    `created_until` is exclusive.
    """
    filters = (endpoints.c.reference, endpoint), (events.c.reference, event), (deliveries.c.state, state)
    query = newest_first(_SHOWN, deliveries.c.id, *filters, below=below, above=above, limit=limit)
    if created_from is not None:
        query = query.where(deliveries.c.id >= least_number(created_from))
    if created_until is not None:
        query = query.where(deliveries.c.id < least_number(created_until))
    return _all(connection, query)


def by_reference(connection: Connection, reference: str) -> Delivery | None:
    """Return a delivery by its public reference."""
    found = _all(connection, _SHOWN.where(deliveries.c.reference == reference))
    return found[0] if found else None


_SHOWN: Select[Any] = (
    select(
        deliveries,
        events.c.reference.label("event"),
        events.c.type.label("event_type"),
        endpoints.c.reference.label("endpoint"),
    )
    .join(events, events.c.id == deliveries.c.event_id)
    .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
)


def _all(connection: Connection, query: Select[Any]) -> list[Delivery]:
    return [_delivery(row) for row in connection.execute(query)]


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        reference=row.reference,
        event=row.event,
        event_type=row.event_type,
        endpoint=row.endpoint,
        subject=row.subject,
        sequence=row.subject_seq,
        state=DeliveryState(row.state),
        replay=row.replay,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        last_status=row.last_status,
        last_error=row.last_error,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
