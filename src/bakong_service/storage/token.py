"""The developer token as it was last renewed, sealed. One replica renews at a time, under a lease, and holds no
transaction meanwhile.
"""

from datetime import datetime, timedelta

from attrs import field, frozen
from sqlalchemy import Connection, select, update

from bakong_service.storage.columns import microseconds
from bakong_service.storage.inserting import insert_new
from bakong_service.storage.schema import provider_token
from bakong_service.vault import Vault

_PLACE = "provider_token.token_enc.1"


@frozen(kw_only=True)
class StoredToken:
    """The token in use. `fence` rises when somebody sets about renewing it, and when it is renewed."""

    text: str = field(repr=False)
    expires_at: datetime | None
    renewed_at: datetime
    fence: int


def current(connection: Connection, vault: Vault, *, setting: str) -> StoredToken | None:
    """The stored token, if it descends from the one in the settings; another setting is a new beginning."""
    query = select(provider_token).where(provider_token.c.source_index == vault.index(setting, "provider_token"))
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    return StoredToken(
        text=vault.open(row["token_enc"], _PLACE),
        expires_at=row["expires_at"],
        renewed_at=row["renewed_at"],
        fence=row["fence"],
    )


def adopt(
    connection: Connection, vault: Vault, *, setting: str, expires_at: datetime | None, now: datetime
) -> StoredToken:
    """Begin with the token in the settings, unless one that descends from it is stored."""
    stored = current(connection, vault, setting=setting)
    if stored is not None:
        return stored
    row = {
        "id": 1,
        "token_enc": vault.seal(setting, _PLACE),
        "source_index": vault.index(setting, "provider_token"),
        "expires_at": expires_at,
        "renewed_at": now,
        "lease_until": 0,
    }
    if not insert_new(connection, provider_token, row):
        # Of another setting: replaced. Of ours, by a replica that was quicker: kept, it may be renewed already.
        other = update(provider_token).where(provider_token.c.source_index != row["source_index"])
        connection.execute(other.values(**row, fence=provider_token.c.fence + 1))
    stored = current(connection, vault, setting=setting)
    assert stored is not None
    return stored


def lease(connection: Connection, stored: StoredToken, *, lasting: timedelta, now: datetime) -> int | None:
    """Take the right to renew the token; the fence to show when storing it. None where somebody else has it."""
    taken = connection.execute(
        update(provider_token)
        .where(provider_token.c.fence == stored.fence, provider_token.c.lease_until < microseconds(now))
        .values(lease_until=microseconds(now + lasting), fence=provider_token.c.fence + 1)
    )
    return stored.fence + 1 if taken.rowcount == 1 else None


def store(
    connection: Connection, vault: Vault, *, text: str, expires_at: datetime | None, fence: int, now: datetime
) -> bool:
    """Keep a renewed token; False where the lease was lost to somebody, whose token it is then.

    The fence rises once more: who read the old token while it was being renewed can't lease it again.
    """
    renewed = {"token_enc": vault.seal(text, _PLACE), "expires_at": expires_at, "renewed_at": now}
    stored = connection.execute(
        update(provider_token).where(provider_token.c.fence == fence).values(**renewed, lease_until=0, fence=fence + 1)
    )
    return stored.rowcount == 1
