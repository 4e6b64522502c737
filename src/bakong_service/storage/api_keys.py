"""API keys. A key's secret is never kept: its keyed hash is, which is all that a check needs."""

from datetime import datetime, timedelta

from attrs import frozen
from sqlalchemy import Connection, insert, or_, select, update

from bakong_service.storage.schema import api_keys
from bakong_service.vault import Vault

_USED_EVERY = timedelta(minutes=1)  # a write per request would kill the speed


@frozen(kw_only=True)
class ApiKey:
    """A key as it is kept."""

    key_id: str
    name: str
    hash: bytes  # HMAC-SHA256(pepper, secret)
    scopes: frozenset[str]
    allowed_cidrs: frozenset[str]  # empty: from anywhere
    created_at: datetime
    not_before: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_good(self, now: datetime) -> bool:
        """Whether it may be used now."""
        return (
            self.revoked_at is None
            and (self.not_before is None or self.not_before <= now)
            and (self.expires_at is None or now < self.expires_at)
        )


def hashed(vault: Vault, key: str) -> bytes:
    """What is kept of a key: 32 bytes, HMAC-SHA256 under a key derived from the pepper.

    A fast hash is right here: a key has 256 random bits, not a person's choice.
    """
    return bytes.fromhex(vault.index(key, "api_keys.hash"))


def find(connection: Connection, key_id: str) -> ApiKey | None:
    """The key by its id, good or not."""
    row = connection.execute(select(api_keys).where(api_keys.c.key_id == key_id)).mappings().one_or_none()
    return None if row is None else ApiKey(**row)


def every(connection: Connection) -> list[ApiKey]:
    """All keys, newest first."""
    query = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.key_id)
    return [ApiKey(**row) for row in connection.execute(query).mappings()]


def add(connection: Connection, key: ApiKey) -> None:
    """Keep a new key."""
    row = {column.name: getattr(key, column.name) for column in api_keys.c}
    connection.execute(insert(api_keys).inline(), row)


def end(connection: Connection, key_id: str, *, revoked_at: datetime | None, expires_at: datetime | None) -> bool:
    """Revoke a key, or let it run out; False where it is over already."""
    values = {name: at for name, at in (("revoked_at", revoked_at), ("expires_at", expires_at)) if at is not None}
    living = update(api_keys).where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
    return connection.execute(living.values(**values)).rowcount == 1


def used(connection: Connection, key_id: str, *, now: datetime) -> None:
    """Remember that a key was used, at most once a minute."""
    stale = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < now - _USED_EVERY)
    connection.execute(update(api_keys).where(api_keys.c.key_id == key_id, stale).values(last_used_at=now))
