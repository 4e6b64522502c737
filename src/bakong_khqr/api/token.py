"""The developer token: kept where nothing prints it, and what it says of itself.

A token is a JWT whose signature only Bakong can check; its claims (`data.id`, `iat`, `exp`) are read and not trusted.
One that is no JWT is used as it is, and its expiry is unknown.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from bakong_khqr.errors import InvalidRequest

WARN_AT_DAYS = (14, 7, 3, 1)
"""Days before the expiry at which an owner is told. Bakong itself mails a reminder at 3 days only."""

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,4096}\Z")


class Token:
    """A developer token. `reveal()` gives its text; nothing else shows it: no repr, no str, no pickle.

    White space around the text, as copied from a mail, is dropped. Raises `InvalidRequest` for what can't be a header's
    value, without showing it, and `TypeError` for what isn't text.
    """

    __slots__ = ("_expires_at", "_id", "_issued_at", "_reveal")

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"token: must be text, not {type(text).__name__}")
        text = text.strip()
        if not _VISIBLE_ASCII.match(text):
            raise InvalidRequest(
                f"token: must be 1 to 4096 visible ASCII characters on one line without spaces; "
                f"this one, which isn't shown, has {len(text)} characters"
            )
        # In a closure, because any attribute that held the text would show it in that attribute's repr.
        self._reveal: Callable[[], str] = lambda: text
        claims = _claims(text)
        self._issued_at = _moment(claims.get("iat"))
        self._expires_at = _moment(claims.get("exp"))
        data = claims.get("data")
        identity = data.get("id") if isinstance(data, dict) else None
        self._id = identity if isinstance(identity, str) else None

    def reveal(self) -> str:
        """The token's text: for the `Authorization` header, or for storing it encrypted."""
        return self._reveal()

    @property
    def expires_at(self) -> datetime | None:
        """The claim `exp`, aware, UTC; None when the token doesn't say."""
        return self._expires_at

    @property
    def issued_at(self) -> datetime | None:
        """The claim `iat`, aware, UTC; None when the token doesn't say."""
        return self._issued_at

    @property
    def id(self) -> str | None:
        """The claim `data.id`, 15 or 16 hexadecimal digits that name the registration; None when it isn't there."""
        return self._id

    def days_left(self, now: datetime) -> int | None:
        """Whole days until the expiry, rounded down: 0 on the last day, negative after it; None when unknown."""
        return None if self._expires_at is None else (self._expires_at - now) // timedelta(days=1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and hmac.compare_digest(self.reveal(), other.reveal())

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __repr__(self) -> str:
        expiry = "unknown" if self._expires_at is None else self._expires_at.isoformat()
        return f"<Token, not shown, expires_at={expiry}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Token can't be pickled or copied: it would be written out in the clear")


def checked_token(token: Token | str | None) -> Token | None:
    """A client's token, from its text or as it is. Raises `TypeError` for another type, without showing the value."""
    if token is None or isinstance(token, Token):
        return token
    return Token(token)


def warning_due(token: Token, now: datetime, *, last_warned: int | None) -> int | None:
    """Which of the days 14, 7, 3 and 1 the owner is to be told of now; None when there is nothing new to tell.

    `last_warned` is what this function last returned for this token. An expired token gives 0, once.
    """
    days = token.days_left(now)
    if days is None:
        return None
    if days < 0:
        due: int | None = 0
    else:
        due = min((day for day in WARN_AT_DAYS if days < day), default=None)
    return due if due is not None and (last_warned is None or due < last_warned) else None


def _claims(text: str) -> dict[str, object]:
    """The claims of a JWT, or none: whatever can't be read says nothing."""
    parts = text.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):  # not base64, not UTF-8, not JSON, or nested without end
        return {}
    return claims if isinstance(claims, dict) else {}


def _moment(seconds: object) -> datetime | None:
    """A claim's date in UTC; None when it isn't a whole number of seconds that a calendar has."""
    if type(seconds) is not int:
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None
