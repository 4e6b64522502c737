"""API keys. A key's secret isn't stored; its keyed hash is, which is enough to check a key."""

import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import evolve, field, frozen
from sqlalchemy import Connection, bindparam, insert, or_, select, update

from bakong_service.storage.engine.paging import newest_first
from bakong_service.storage.engine.prepared import plain, prepared
from bakong_service.storage.schema import api_keys
from bakong_service.vault import Vault

_USED_EVERY = timedelta(minutes=1)  # a write for each request would make requests slow
_FIND = select(api_keys).where(api_keys.c.key_id == bindparam("wanted"))
_FIND_AND_LOCK = _FIND.with_for_update()
_NAMES = plain(column.name for column in api_keys.c)


@frozen(kw_only=True)
class ApiKey:
    """An API key as it is stored."""

    key_id: str
    id: int  # its place in the list
    family: str  # the id of the first key of a chain of rotations; the key's own id if it wasn't rotated
    name: str
    hash: bytes  # HMAC-SHA256(pepper, secret)
    scopes: frozenset[str]
    allowed_cidrs: frozenset[str]  # empty: any address
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    proof: str = field(default="", repr=False)  # keyed hash of all of this but `last_used_at`; empty until it is stored

    def is_good(self, now: datetime) -> bool:
        """Return whether the key may be used now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def hashed(vault: Vault, key: str) -> bytes:
    """Return the stored hash of a key: 32 bytes, HMAC-SHA256 with a key derived from the pepper.

    A fast hash is right here, because a key has 256 random bits and nobody chose it.
    """
    return bytes.fromhex(vault.index(key, "api_keys.hash"))


def is_genuine(vault: Vault, key: ApiKey) -> bool:
    """Return whether a stored key is as the service wrote it. Scopes that were changed by hand, for example, aren't."""
    return hmac.compare_digest(key.proof.encode(), _proof(vault, key).encode())


def _proof(vault: Vault, key: ApiKey) -> str:
    moments = [None if at is None else at.isoformat() for at in (key.created_at, key.expires_at, key.revoked_at)]
    words = [sorted(key.scopes), sorted(key.allowed_cidrs)]
    return vault.index(json.dumps([key.key_id, key.family, key.name, key.hash.hex(), *words, *moments]), "api_keys")


def find(connection: Connection, key_id: str, *, lock: bool = False) -> ApiKey | None:
    """Return the key with this id, valid or not. `lock` locks its row until the transaction ends."""
    row = prepared(connection.dialect, _FIND_AND_LOCK if lock else _FIND).first(connection, {"wanted": key_id})
    return None if row is None else ApiKey(**dict(zip(_NAMES, row, strict=True)))


def every(connection: Connection) -> list[ApiKey]:
    """Return all keys, newest first."""
    query = select(api_keys).order_by(api_keys.c.id.desc())
    return [ApiKey(**row) for row in connection.execute(query).mappings()]


def page(connection: Connection, *, limit: int, below: int | None = None, above: int | None = None) -> list[ApiKey]:
    """Return at most `limit` keys with ids below `below`, newest first; or above `above`, oldest first."""
    query = newest_first(select(api_keys), api_keys.c.id, below=below, above=above, limit=limit)
    return [ApiKey(**row) for row in connection.execute(query).mappings()]


def add(connection: Connection, vault: Vault, key: ApiKey) -> None:
    """Write a new key."""
    row = {column.name: getattr(key, column.name) for column in api_keys.c} | {"proof": _proof(vault, key)}
    connection.execute(insert(api_keys).inline(), row)


def revoke(connection: Connection, vault: Vault, key: ApiKey, *, at: datetime) -> ApiKey:
    """Revoke a key whose row is locked. Return it as it is now."""
    return _store_end(connection, vault, evolve(key, revoked_at=at))


def end_at(connection: Connection, vault: Vault, key: ApiKey, *, at: datetime) -> ApiKey:
    """Set when a key ends whose row is locked. Return it as it is now."""
    return _store_end(connection, vault, evolve(key, expires_at=at))


def _store_end(connection: Connection, vault: Vault, key: ApiKey) -> ApiKey:
    key = evolve(key, proof=_proof(vault, key))
    values = {"revoked_at": key.revoked_at, "expires_at": key.expires_at, "proof": key.proof}
    connection.execute(update(api_keys).where(api_keys.c.key_id == key.key_id).values(values))
    return key


def use_is_due(key: ApiKey, now: datetime) -> bool:
    """Return whether a use of this key is to be written: the last one is older than a minute."""
    return key.last_used_at is None or key.last_used_at < now - _USED_EVERY


def used(connection: Connection, uses: Mapping[str, datetime]) -> None:
    """Write when keys were used, by their ids, unless another process wrote a use of the last minute."""
    for key_id, at in sorted(uses.items()):  # in one order, so that two processes don't wait for each other
        stale = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < at - _USED_EVERY)
        connection.execute(update(api_keys).where(api_keys.c.key_id == key_id, stale).values(last_used_at=at))
