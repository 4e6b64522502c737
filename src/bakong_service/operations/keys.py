"""API keys: made, rotated, revoked. A key's text exists in the answer that makes it, and nowhere else."""

import zlib
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve, field, frozen
from sqlalchemy import Connection

from bakong_service.domain.errors import Conflict, NotFound
from bakong_service.operations.business import Business
from bakong_service.storage import api_keys, audit
from bakong_service.storage.api_keys import ApiKey

_ID_CHARACTERS, _SECRET_CHARACTERS = 12, 43  # 62 and 256 bits
_BASE36 = "abcdefghijklmnopqrstuvwxyz0123456789"
_BASE62 = _BASE36 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@frozen(kw_only=True)
class NewKey:
    """What a key is made with. `scopes` are known ones; `allowed_cidrs` empty: from anywhere."""

    name: str
    scopes: frozenset[str]
    allowed_cidrs: frozenset[str] = frozenset()
    expires_at: datetime | None = None
    is_test: bool


@frozen
class MadeKey:
    """A key as it is kept, and its text, which is shown this once."""

    key: ApiKey
    text: str = field(repr=False)


def create(connection: Connection, business: Business, new: NewKey, *, actor: str, now: datetime) -> MadeKey:
    """Make a key: `bks_<live|test>_<key id>_<secret><crc32>`."""
    key_id = _characters(business, _BASE36, _ID_CHARACTERS)
    head = f"bks_{'test' if new.is_test else 'live'}_{key_id}_{_characters(business, _BASE62, _SECRET_CHARACTERS)}"
    text = head + checksum(head)
    key = ApiKey(
        key_id=key_id,
        name=new.name,
        hash=api_keys.hashed(business.vault, text),
        scopes=new.scopes,
        allowed_cidrs=new.allowed_cidrs,
        created_at=now,
        not_before=None,
        expires_at=new.expires_at,
        revoked_at=None,
        last_used_at=None,
    )
    api_keys.add(connection, key)
    details = {"name": new.name, "scopes": sorted(new.scopes)}
    _audit(connection, business, "key.created", key_id, actor, details, now)
    return MadeKey(key, text)


def rotate(
    connection: Connection,
    business: Business,
    key_id: str,
    *,
    overlap: timedelta,
    is_test: bool,
    actor: str,
    now: datetime,
) -> MadeKey:
    """A new key beside one that stays good for `overlap`. Raises `NotFound`, or `Conflict` where it is over."""
    old = _good(connection, key_id, now)
    new = NewKey(
        name=old.name, scopes=old.scopes, allowed_cidrs=old.allowed_cidrs, expires_at=old.expires_at, is_test=is_test
    )
    made = create(connection, business, new, actor=actor, now=now)
    ends = now + overlap if old.expires_at is None else min(now + overlap, old.expires_at)
    api_keys.end(connection, key_id, revoked_at=None, expires_at=ends)
    _audit(connection, business, "key.rotated", key_id, actor, {"successor": made.key.key_id}, now)
    return made


def revoke(connection: Connection, business: Business, key_id: str, *, actor: str, now: datetime) -> ApiKey:
    """End a key at once; every replica refuses it from the next request on. Raises `NotFound`."""
    key = _known(connection, key_id)
    if key.revoked_at is not None:
        return key
    api_keys.end(connection, key_id, revoked_at=now, expires_at=None)
    _audit(connection, business, "key.revoked", key_id, actor, None, now)
    return evolve(key, revoked_at=now)


def checksum(text: str) -> str:
    """CRC-32 as 8 hex digits: tells a mistyped key from a foreign one without a database."""
    return f"{zlib.crc32(text.encode()):08x}"


def _good(connection: Connection, key_id: str, now: datetime) -> ApiKey:
    key = _known(connection, key_id)
    if not key.is_good(now):
        raise Conflict("key_over", f"the key {key_id} is revoked or has run out: make a new one")
    return key


def _known(connection: Connection, key_id: str) -> ApiKey:
    key = api_keys.find(connection, key_id)
    if key is None:
        raise NotFound("key_not_found", f"there is no key {key_id}")
    return key


def _characters(business: Business, alphabet: str, count: int) -> str:
    number = business.identifiers.random_bits(8 * count)  # far more bits than characters: no letter is likelier
    text = ""
    for _ in range(count):
        number, digit = divmod(number, len(alphabet))
        text += alphabet[digit]
    return text


def _audit(
    connection: Connection,
    business: Business,
    action: str,
    key_id: str,
    actor: str,
    details: dict[str, Any] | None,
    now: datetime,
) -> None:
    audit.write(
        connection,
        business.identifiers,
        action=action,
        actor=actor,
        subject=key_id,
        level=audit.SECURITY,
        details=details,
        now=now,
    )
