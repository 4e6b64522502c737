"""Endpoints and their sealed secrets."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from bakong_service.domain.endpoint import Endpoint, EndpointState
from bakong_service.storage.engine.bulk import Bulk
from bakong_service.storage.engine.paging import newest_first
from bakong_service.storage.engine.prepared import prepared
from bakong_service.storage.schema import endpoint_secrets, endpoints


@frozen(kw_only=True)
class SealedSecret:
    """A sealed secret of an endpoint. The newest one has no `expires_at`."""

    id: int
    endpoint_id: int
    blob: bytes
    created_at: datetime
    expires_at: datetime | None


def add(connection: Connection, endpoint: Endpoint) -> bool:
    """Write a new endpoint. Return False if another one has its name."""
    row = {name: getattr(endpoint, name) for name in _COLUMNS} | {"state": endpoint.state.value}
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(endpoints).on_conflict_do_nothing(index_elements=["name"]).inline()
    return connection.execute(statement, row).rowcount == 1


def change(connection: Connection, endpoint_id: int, **values: Any) -> None:
    """Change columns of an endpoint."""
    connection.execute(update(endpoints).where(endpoints.c.id == endpoint_id).values(values))


def succeeded(connection: Connection, endpoint_id: int) -> None:
    """Write that an attempt succeeded, so that earlier failures don't count any more."""
    failing = and_(endpoints.c.id == endpoint_id, endpoints.c.failing_since.is_not(None))
    connection.execute(update(endpoints).where(failing).values(failing_since=None, failures=0))


def by_reference(connection: Connection, reference: str, *, lock: bool = False) -> Endpoint | None:
    """Return an endpoint that isn't deleted. `lock` locks its row until the transaction ends."""
    return _one(connection, endpoints.c.reference == reference, lock=lock)


def by_name(connection: Connection, name: str, *, lock: bool = False) -> Endpoint | None:
    """Return the endpoint with this name."""
    return _one(connection, endpoints.c.name == name, lock=lock)


def by_id(connection: Connection, endpoint_id: int, *, lock: bool = False) -> Endpoint | None:
    """Return an endpoint that isn't deleted, by its internal id."""
    return _one(connection, endpoints.c.id == endpoint_id, lock=lock)


def every(connection: Connection, *, lock: bool = False) -> list[Endpoint]:
    """Return all endpoints that aren't deleted, oldest first. `lock` locks them until the transaction ends."""
    rows = prepared(connection.dialect, _EVERY_LOCKED if lock else _EVERY).rows(connection, {})
    return [_endpoint(row) for row in rows]


def page(connection: Connection, *, limit: int, below: int | None = None, above: int | None = None) -> list[Endpoint]:
    """Return endpoints with ids below `below`, newest first, or above `above`, oldest first."""
    return _all(connection, newest_first(_SELECTED, endpoints.c.id, below=below, above=above, limit=limit))


def add_secret(connection: Connection, secret_id: int, endpoint_id: int, blob: bytes, *, now: datetime) -> None:
    """Write a sealed secret as the newest of an endpoint."""
    row = {"id": secret_id, "endpoint_id": endpoint_id, "secret_enc": blob, "created_at": now}
    connection.execute(insert(endpoint_secrets).inline(), row)


def end_secrets(connection: Connection, endpoint_id: int, *, at: datetime) -> None:
    """Let the secrets in use end at a moment. A secret that ends sooner stays as it is."""
    connection.execute(
        update(endpoint_secrets)
        .where(
            endpoint_secrets.c.endpoint_id == endpoint_id,
            or_(endpoint_secrets.c.expires_at.is_(None), endpoint_secrets.c.expires_at > at),
        )
        .values(expires_at=at)
    )


def forget_secrets(connection: Connection, endpoint_id: int) -> None:
    """Delete every secret of an endpoint."""
    connection.execute(delete(endpoint_secrets).where(endpoint_secrets.c.endpoint_id == endpoint_id))


def secrets(connection: Connection, endpoint_ids: Iterable[int], *, now: datetime) -> list[SealedSecret]:
    """Return the secrets that sign at `now`, newest first."""
    rows = _SECRETS.read(connection, [(endpoint_id,) for endpoint_id in endpoint_ids], moment=now)
    return [SealedSecret(**dict(zip(_SECRET_COLUMNS, row, strict=True))) for row in rows]


_KEPT = endpoints.c.state != EndpointState.DELETED.value
_COLUMNS = tuple(attribute.name for attribute in Endpoint.__attrs_attrs__)
_SELECTED = select(*(endpoints.c[name] for name in _COLUMNS)).where(_KEPT)
_EVERY = _SELECTED.order_by(endpoints.c.id)
_EVERY_LOCKED = _EVERY.with_for_update(read=True)

_SECRET_COLUMNS = ("id", "endpoint_id", "blob", "created_at", "expires_at")
_SECRETS = Bulk(
    lambda wanted: (
        select(
            endpoint_secrets.c.id,
            endpoint_secrets.c.endpoint_id,
            endpoint_secrets.c.secret_enc,
            endpoint_secrets.c.created_at,
            endpoint_secrets.c.expires_at,
        )
        .join(wanted, endpoint_secrets.c.endpoint_id == wanted.c.endpoint_id)
        .where(or_(endpoint_secrets.c.expires_at.is_(None), endpoint_secrets.c.expires_at > bindparam("moment")))
        .order_by(endpoint_secrets.c.expires_at.is_not(None), endpoint_secrets.c.id.desc())
    ),
    endpoint_id=BigInteger,
)


def _one(connection: Connection, condition: ColumnElement[bool], *, lock: bool) -> Endpoint | None:
    query = _SELECTED.where(condition)
    found = _all(connection, query.with_for_update() if lock else query)
    return found[0] if found else None


def _all(connection: Connection, query: Select[Any]) -> list[Endpoint]:
    return [_endpoint(row) for row in connection.execute(query)]


def _endpoint(row: Sequence[Any]) -> Endpoint:
    values = dict(zip(_COLUMNS, row, strict=True))
    return Endpoint(**values | {"state": EndpointState(values["state"])})
