"""Idempotency keys. A request's key is claimed, and its answer stored, in the transaction that does its work.

So no row says "in progress": a claim without an answer is rolled back with everything else.
"""

from datetime import UTC, datetime

from attrs import frozen
from sqlalchemy import Connection, and_, bindparam, delete, select, update

from bakong_service.storage.engine.inserting import insert_new
from bakong_service.storage.engine.prepared import prepared
from bakong_service.storage.schema import idempotency_keys

TABLE = idempotency_keys.name
"""The database's name for the place where a request waits for another request with the same key."""

_IS = and_(*(idempotency_keys.c[name] == bindparam(f"wanted_{name}") for name in ("family", "route", "key")))
_FIND = select(idempotency_keys.c.fingerprint, idempotency_keys.c.status, idempotency_keys.c.body_enc).where(_IS)
_KEEP = update(idempotency_keys).where(_IS).values(status=bindparam("new_status"), body_enc=bindparam("new_body"))
_END = delete(idempotency_keys).where(_IS, idempotency_keys.c.expires_at <= bindparam("now"))


@frozen
class Claim:
    """What makes two requests the same request: the caller, the route and the key."""

    family: str  # of the API key: a retry under the rotated key is the same request
    route: str  # method and path template: "POST /v1/payments"
    key: str

    @property
    def place(self) -> str:
        """The place for which the vault seals the answer."""
        return f"idempotency_keys.body_enc.{self.family}.{self.route}.{self.key}"


@frozen
class Kept:
    """A stored answer, with a sealed body. `fingerprint` shows whether the request had the same body."""

    fingerprint: str
    status: int
    body: bytes


def claim(connection: Connection, claim: Claim, *, fingerprint: str, expires_at: datetime, now: datetime) -> bool:
    """Claim the key.

    Return False if it is claimed already. On PostgreSQL this waits for a request that holds the key.
    """
    row = {
        "family": claim.family,
        "route": claim.route,
        "key": claim.key,
        "fingerprint": fingerprint,
        "status": 0,
        "body_enc": b"",
        "expires_at": expires_at,
    }
    if insert_new(connection, idempotency_keys, row):
        return True
    ended = prepared(connection.dialect, _END).write(connection, {**_named(claim), "now": now})
    return ended == 1 and insert_new(connection, idempotency_keys, row)


def keep(connection: Connection, claim: Claim, *, status: int, body: bytes) -> None:
    """Store the answer for a claimed key."""
    values = {**_named(claim), "new_status": status, "new_body": body}
    prepared(connection.dialect, _KEEP).write(connection, values)


def find(connection: Connection, claim: Claim) -> Kept | None:
    """Return the answer that is stored for this key."""
    row = prepared(connection.dialect, _FIND).first(connection, _named(claim))
    return None if row is None else Kept(*row)


def prune(connection: Connection, *, now: datetime) -> int:
    """Delete the keys that have expired. Return how many there were."""
    return connection.execute(delete(idempotency_keys).where(idempotency_keys.c.expires_at <= now)).rowcount


def prove_writable(connection: Connection) -> None:
    """Write a row and delete it in one transaction, which fails on a full disk and on a read-only replica."""
    probe, past = Claim("health", "", ""), datetime(1970, 1, 1, tzinfo=UTC)
    claim(connection, probe, fingerprint="", expires_at=past, now=past)
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.family == probe.family))


def _named(claim: Claim) -> dict[str, str]:
    return {"wanted_family": claim.family, "wanted_route": claim.route, "wanted_key": claim.key}
