"""Stores the developer token as it was last renewed, sealed. There is one row.

One replica at a time renews the token: `lease`, the call to Bakong without an open transaction, and `store`.

In each function, `setting` is the token of the settings, `BAKONG_DEVELOPER_TOKEN`. The row keeps a keyed hash of the
setting that its token was renewed from. So if the setting is changed, the stored token isn't used any more.
"""

from datetime import datetime, timedelta

from attrs import field, frozen
from sqlalchemy import Connection, select, update

from bakong_service.storage.engine.columns import microseconds
from bakong_service.storage.engine.inserting import insert_new
from bakong_service.storage.schema import provider_token
from bakong_service.vault import Vault

_PLACE = "provider_token.token_enc.1"  # the column and the row, to which the vault binds what it seals


@frozen(kw_only=True)
class StoredToken:
    """The token in use. `fence` rises when a replica starts to renew the token, and when the token was renewed."""

    text: str = field(repr=False)
    expires_at: datetime | None
    fence: int


def current(connection: Connection, vault: Vault, *, setting: str) -> StoredToken | None:
    """Return the stored token if it was renewed from the one in the settings; None if the setting was changed."""
    query = select(provider_token).where(provider_token.c.source_index == vault.index(setting, "provider_token"))
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    return StoredToken(
        text=vault.open(row["token_enc"], _PLACE),
        expires_at=row["expires_at"],
        fence=row["fence"],
    )


def adopt(connection: Connection, vault: Vault, *, setting: str, expires_at: datetime | None) -> StoredToken:
    """Store the token of the settings, unless a token that was renewed from it is stored."""
    stored = current(connection, vault, setting=setting)
    if stored is not None:
        return stored
    row = {
        "id": 1,
        "token_enc": vault.seal(setting, _PLACE),
        "source_index": vault.index(setting, "provider_token"),
        "expires_at": expires_at,
        "lease_until": 0,
    }
    if not insert_new(connection, provider_token, row):
        # A token of another setting is replaced. A token of this setting was stored by a quicker replica, and stays.
        other = update(provider_token).where(provider_token.c.source_index != row["source_index"])
        connection.execute(other.values(**row, fence=provider_token.c.fence + 1))
    stored = current(connection, vault, setting=setting)
    assert stored is not None
    return stored


def lease(connection: Connection, stored: StoredToken, *, lasting: timedelta, now: datetime) -> int | None:
    """Take the lease to renew the token `stored`, for `lasting` from `now` on. Return the fence for `store`.

    Return None if another replica has the lease, or has replaced the token since `stored` was read.
    """
    taken = connection.execute(
        update(provider_token)
        .where(provider_token.c.fence == stored.fence, provider_token.c.lease_until < microseconds(now))
        .values(lease_until=microseconds(now + lasting), fence=provider_token.c.fence + 1)
    )
    return stored.fence + 1 if taken.rowcount == 1 else None


def store(connection: Connection, vault: Vault, *, text: str, expires_at: datetime | None, fence: int) -> bool:
    """Store a renewed token. Return False if the lease was lost to another replica, which stores its own token.

    The fence rises once more, so that a replica which read the old token meanwhile can't lease it again.
    """
    renewed = {"token_enc": vault.seal(text, _PLACE), "expires_at": expires_at}
    stored = connection.execute(
        update(provider_token).where(provider_token.c.fence == fence).values(**renewed, lease_until=0, fence=fence + 1)
    )
    return stored.rowcount == 1
