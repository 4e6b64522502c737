"""Idempotency keys: a request's key is claimed, and its answer kept, in the transaction that does its work.

There is no "in progress": a key that is claimed and not answered was rolled back with everything else.
"""

from datetime import datetime

from attrs import frozen
from sqlalchemy import Connection, and_, bindparam, delete, select, update

from bakong_service.storage.inserting import insert_new
from bakong_service.storage.schema import idempotency_keys

_IS = and_(*(idempotency_keys.c[name] == bindparam(f"wanted_{name}") for name in ("key_id", "route", "key")))
_FIND = select(idempotency_keys.c.fingerprint, idempotency_keys.c.status, idempotency_keys.c.body_enc).where(_IS)
_KEEP = update(idempotency_keys).where(_IS).values(status=bindparam("new_status"), body_enc=bindparam("new_body"))
_END = delete(idempotency_keys).where(_IS, idempotency_keys.c.expires_at <= bindparam("now"))


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
    return connection.execute(_END, {**_named(claim), "now": now}).rowcount == 1 and insert_new(
        connection, idempotency_keys, row
    )


def keep(connection: Connection, claim: Claim, *, status: int, body: bytes) -> None:
    """Keep the answer to a claimed key."""
    connection.execute(_KEEP, {**_named(claim), "new_status": status, "new_body": body})


def find(connection: Connection, claim: Claim) -> Kept | None:
    """The answer that was given under this key."""
    row = connection.execute(_FIND, _named(claim)).one_or_none()
    return None if row is None else Kept(*row)


def prune(connection: Connection, *, now: datetime) -> int:
    """Forget the keys that are over; how many there were."""
    return connection.execute(delete(idempotency_keys).where(idempotency_keys.c.expires_at <= now)).rowcount


def _named(claim: Claim) -> dict[str, str]:
    return {"wanted_key_id": claim.key_id, "wanted_route": claim.route, "wanted_key": claim.key}
