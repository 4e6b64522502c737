"""Idempotency keys: a request's key is claimed, and its answer kept, in the transaction that does its work.

There is no "in progress": a key that is claimed and not answered was rolled back with everything else.
"""

from datetime import datetime

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, delete, select, update

from bakong_service.storage.inserting import insert_new
from bakong_service.storage.schema import idempotency_keys


@frozen
class Claim:
    """What makes a request the same request: who asked, for which route, under which key."""

    key_id: str
    route: str  # method and path template: "POST /v1/payments"
    key: str

    @property
    def place(self) -> str:
        """Where the vault seals the answer for."""
        return f"idempotency_keys.body_enc.{self.key_id}.{self.route}.{self.key}"


@frozen
class Kept:
    """An answer that was given: its body is sealed. `fingerprint` tells whether the question was the same."""

    fingerprint: str
    status: int
    body: bytes


def claim(connection: Connection, claim: Claim, *, fingerprint: str, expires_at: datetime, now: datetime) -> bool:
    """Take the key; False where it is taken. On PostgreSQL this waits for a twin that is under way."""
    row = {
        "key_id": claim.key_id,
        "route": claim.route,
        "key": claim.key,
        "fingerprint": fingerprint,
        "status": 0,
        "body_enc": b"",
        "expires_at": expires_at,
    }
    if insert_new(connection, idempotency_keys, row):
        return True
    over = delete(idempotency_keys).where(_is(claim), idempotency_keys.c.expires_at <= now)
    return connection.execute(over).rowcount == 1 and insert_new(connection, idempotency_keys, row)


def keep(connection: Connection, claim: Claim, *, status: int, body: bytes) -> None:
    """Keep the answer to a claimed key."""
    connection.execute(update(idempotency_keys).where(_is(claim)).values(status=status, body_enc=body))


def find(connection: Connection, claim: Claim) -> Kept | None:
    """The answer that was given under this key."""
    columns = (idempotency_keys.c.fingerprint, idempotency_keys.c.status, idempotency_keys.c.body_enc)
    row = connection.execute(select(*columns).where(_is(claim))).one_or_none()
    return None if row is None else Kept(*row)


def prune(connection: Connection, *, now: datetime) -> int:
    """Forget the keys that are over; how many there were."""
    return connection.execute(delete(idempotency_keys).where(idempotency_keys.c.expires_at <= now)).rowcount


def _is(claim: Claim) -> ColumnElement[bool]:
    return (
        (idempotency_keys.c.key_id == claim.key_id)
        & (idempotency_keys.c.route == claim.route)
        & (idempotency_keys.c.key == claim.key)
    )
