"""Client tokens: what a payer's browser proves itself with, for one payment and until a moment.

A token is `pct_` and 48 characters of base64url: the UUID of the payment (16 bytes), the expiry in seconds since 1970
(4 bytes), and the first 16 bytes of an HMAC-SHA256 over both. So a token is made and checked without a database.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from bakong_service.vault import derive

PREFIX = "pct_"
KEPT_FOR = timedelta(days=30)
"""How long a payment's token lasts after the end of its watch, so that the payer can still open the receipt."""

_KIND = "pay_"
_UUID, _EXPIRY, _SIGNATURE = 16, 4, 16  # bytes
_LENGTH = (_UUID + _EXPIRY + _SIGNATURE) * 4 // 3  # characters: 36 bytes need no padding


def key_of(pepper: bytes) -> bytes:
    """Return the key that client tokens are signed with."""
    return derive(pepper, "client tokens")


def make(key: bytes, reference: str, *, expires_at: datetime) -> str:
    """Return the token of a payment, `pay_…`. The same payment and expiry always have the same token."""
    uuid = bytes.fromhex(reference.removeprefix(_KIND).replace("-", ""))
    content = uuid + int(expires_at.timestamp()).to_bytes(_EXPIRY)
    return PREFIX + urlsafe_b64encode(content + _signature(key, content)).decode()


def read(key: bytes, token: str, *, now: datetime) -> str | None:
    """Return the reference of the payment that a token is for. None if it isn't one of ours, or has expired."""
    text = token.removeprefix(PREFIX)
    if text == token or len(text) != _LENGTH or not text.isascii():
        return None
    try:
        data = urlsafe_b64decode(text)
    except ValueError:
        return None
    if urlsafe_b64encode(data).decode() != text:  # Python also takes `+` and `/` for `-` and `_`
        return None
    content, signature = data[: _UUID + _EXPIRY], data[_UUID + _EXPIRY :]
    if len(signature) != _SIGNATURE or not hmac.compare_digest(signature, _signature(key, content)):
        return None
    if int.from_bytes(content[_UUID:]) <= now.timestamp():
        return None
    return f"{_KIND}{UUID(bytes=content[:_UUID])}"


def _signature(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, sha256).digest()[:_SIGNATURE]
