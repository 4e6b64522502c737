"""Makes, rotates and revokes API keys. Only the answer to that request has a key's text; the database has its hash."""

import zlib
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from sqlalchemy import Connection

from bakong_service.domain.errors import Conflict, NotFound
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.resources import KeyWithText
from bakong_service.storage import api_keys, audit
from bakong_service.storage.api_keys import ApiKey

_ID_CHARACTERS, _SECRET_CHARACTERS = 12, 43  # 62 and 256 bits
_BASE36 = "abcdefghijklmnopqrstuvwxyz0123456789"
_BASE62 = _BASE36 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@frozen(kw_only=True)
class NewKey:
    """A request for a new key. Its scopes are known to exist."""

    name: str
    scopes: frozenset[str]
    allowed_cidrs: frozenset[str] = frozenset()  # empty: the key is good from every address
    expires_at: datetime | None = None
    is_test: bool


def create(work: UnitOfWork, new: NewKey) -> KeyWithText:
    """Make a key: `bks_<live|test>_<key id>_<secret><crc32>`."""
    return _make(work, new, None)


def _make(work: UnitOfWork, new: NewKey, family: str | None) -> KeyWithText:
    """Make a key of a family; without a family, make the first key of a new one."""
    key_id = _characters(work, _BASE36, _ID_CHARACTERS)
    head = f"bks_{'test' if new.is_test else 'live'}_{key_id}_{_characters(work, _BASE62, _SECRET_CHARACTERS)}"
    text = head + checksum(head)
    key = ApiKey(
        id=work.business.identifiers.number(work.now),
        key_id=key_id,
        family=family or key_id,
        name=new.name,
        hash=api_keys.hashed(work.business.vault, text),
        scopes=new.scopes,
        allowed_cidrs=new.allowed_cidrs,
        created_at=work.now,
        expires_at=new.expires_at,
        revoked_at=None,
        last_used_at=None,
    )
    api_keys.add(work.connection, work.business.vault, key)
    details = {"name": new.name, "scopes": sorted(new.scopes)}
    work.audit("key.created", key_id, level=audit.SECURITY, details=details)
    return KeyWithText.of(key, key=text)


def rotate(work: UnitOfWork, key_id: str, *, overlap: timedelta, is_test: bool) -> KeyWithText:
    """Make a successor of a key, and end the old key after `overlap`.

    Raises `NotFound`, and `Conflict` if the old key is revoked or has expired.
    """
    old = _good(work, key_id)
    new = NewKey(
        name=old.name, scopes=old.scopes, allowed_cidrs=old.allowed_cidrs, expires_at=old.expires_at, is_test=is_test
    )
    made = _make(work, new, old.family)
    ends = work.now + overlap if old.expires_at is None else min(work.now + overlap, old.expires_at)
    api_keys.end_at(work.connection, work.business.vault, old, at=ends)
    work.audit("key.rotated", key_id, level=audit.SECURITY, details={"successor": made.key_id})
    return made


def revoke(work: UnitOfWork, key_id: str) -> ApiKey:
    """End a key at once: every replica refuses it from the next request on. Raises `NotFound`."""
    key = _known(work, key_id)
    if key.revoked_at is not None:
        return key
    work.audit("key.revoked", key_id, level=audit.SECURITY)
    return api_keys.revoke(work.connection, work.business.vault, key, at=work.now)


def shown_again(connection: Connection, answer: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """Return the stored answer that made a key, without the key's text if the key is revoked or has expired."""
    key = api_keys.find(connection, answer["key_id"])
    return answer if key is not None and key.is_good(now) else answer | {"key": None}


def checksum(text: str) -> str:
    """Return the CRC-32 in 8 hexadecimal digits, which shows a mistyped key without asking the database."""
    return f"{zlib.crc32(text.encode()):08x}"


def _good(work: UnitOfWork, key_id: str) -> ApiKey:
    key = _known(work, key_id)
    if not key.is_good(work.now):
        raise Conflict("key_over", f"the key {key_id} is revoked or has expired: make a new one")
    if not api_keys.is_genuine(work.business.vault, key):
        raise Conflict("key_over", f"the key {key_id} was changed in the database by hand: revoke it, make a new one")
    return key


def _known(work: UnitOfWork, key_id: str) -> ApiKey:
    key = api_keys.find(work.connection, key_id, lock=True)
    if key is None and key_id == "main":
        raise NotFound(
            "key_not_found",
            "the key main is the setting MAIN_BACKEND_API_KEY and isn't in the database: draw another text, change the "
            "setting of the service and of your backend, and restart both",
        )
    if key is None:
        raise NotFound("key_not_found", f"there is no key {key_id}")
    return key


def _characters(work: UnitOfWork, alphabet: str, count: int) -> str:
    number = work.business.identifiers.random_bits(8 * count)  # so many that all characters are equally likely
    text = ""
    for _ in range(count):
        number, digit = divmod(number, len(alphabet))
        text += alphabet[digit]
    return text
