"""What became of deliveries: their attempts, and the deliveries as they are shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, select

from bakong_service.domain.delivery import Answer, Attempt, Delivery, DeliveryState
from bakong_service.domain.identifiers import Identifiers
from bakong_service.storage.schema import deliveries, delivery_attempts, endpoints, events


def add_attempt(
    connection: Connection, identifiers: Identifiers, delivery_id: int, answer: Answer, *, now: datetime
) -> None:
    """Write down one attempt."""
    connection.execute(
        insert(delivery_attempts).inline(),
        {
            "id": identifiers.number(now),
            "delivery_id": delivery_id,
            "status": answer.status,
            "error": answer.error,
            "duration_ms": round(answer.duration.total_seconds() * 1000),
            "response": answer.response,
            "at": now,
        },
    )


def attempts(connection: Connection, reference: str) -> list[Attempt]:
    """The attempts of a delivery, first to last; those older than 90 days are gone."""
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
    """Delete up to `limit` attempts made before a moment; how many there were."""
    first_kept = Identifiers(lambda _: 0).number(before)  # ids rise with time, and have an index
    old = select(delivery_attempts.c.id).where(delivery_attempts.c.id < first_kept).limit(limit)
    return connection.execute(delete(delivery_attempts).where(delivery_attempts.c.id.in_(old))).rowcount


def last_replays(connection: Connection, endpoint_id: int, event_ids: Sequence[int]) -> Mapping[int, int]:
    """The number of the last replay of each event at an endpoint; 0 where only the first delivery was made."""
    query = (
        select(deliveries.c.event_id, func.max(deliveries.c.replay).label("last"))
        .where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.event_id.in_(event_ids))
        .group_by(deliveries.c.event_id)
    )
    return {row.event_id: row.last for row in connection.execute(query)}


def dead_letters(connection: Connection, endpoint_id: int, event_ids: Sequence[int]) -> set[int]:
    """Those of the events whose last delivery to the endpoint has failed."""
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
    after: int | None = None,
    before: int | None = None,
    endpoint: str | None = None,
    event: str | None = None,
    state: DeliveryState | None = None,
) -> list[Delivery]:
    """Deliveries, newest first: those after an id in this order, or from an id backwards."""
    query = _SHOWN.limit(limit)
    if endpoint is not None:
        query = query.where(endpoints.c.reference == endpoint)
    if event is not None:
        query = query.where(events.c.reference == event)
    if state is not None:
        query = query.where(deliveries.c.state == state.value)
    if before is not None:
        return _all(connection, query.where(deliveries.c.id > before).order_by(deliveries.c.id))
    if after is not None:
        query = query.where(deliveries.c.id < after)
    return _all(connection, query.order_by(deliveries.c.id.desc()))


def by_reference(connection: Connection, reference: str) -> Delivery | None:
    """One delivery."""
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
