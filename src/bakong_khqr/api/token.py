"""The developer token, which nothing prints, and its claims.

A token is a JWT, and only Bakong can check its signature. Its claims (`data.id`, `iat`, `exp`) are read, but not
trusted. A token that isn't a JWT is used as it is, and its expiry is unknown.
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
"""The days before the expiry at which the owner is warned. Bakong itself only sends a mail at 3 days."""

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,4096}\Z")


class Token:
    """A developer token. Only `reveal()` returns its text; no repr, str or pickle shows it.

    White space around the text is dropped. Raises `InvalidRequest`, which doesn't show the text, if it can't be in a
    header, and `TypeError` if it isn't text.
    """

    __slots__ = ("_expires_at", "_id", "_issued_at", "_reveal")

    def __init__(self, text: str) -> None:
        self._expires_at: datetime | None = None  # the repr of what is refused below is asked for by debuggers
        if not isinstance(text, str):
            raise TypeError(f"token: must be text, not {type(text).__name__}")
        text = text.strip()
        if not _VISIBLE_ASCII.match(text):
            raise InvalidRequest(
                f"token: must be 1 to 4096 visible ASCII characters on one line without spaces; "
                f"this one, which isn't shown, has {len(text)} characters"
            )
        # The text is in a closure, because the repr of an attribute would show it.
        self._reveal: Callable[[], str] = lambda: text
        claims = _claims(text)
        self._issued_at = _moment(claims.get("iat"))
        self._expires_at = _moment(claims.get("exp"))
        data = claims.get("data")
        identity = data.get("id") if isinstance(data, dict) else None
        self._id = identity if isinstance(identity, str) else None

    def reveal(self) -> str:
        """Return the token's text: for the `Authorization` header, or for storing it encrypted."""
        return self._reveal()

    @property
    def expires_at(self) -> datetime | None:
        """The claim `exp`, aware, in UTC; None if the token doesn't have it."""
        return self._expires_at

    @property
    def issued_at(self) -> datetime | None:
        """The claim `iat`, aware, in UTC; None if the token doesn't have it."""
        return self._issued_at

    @property
    def id(self) -> str | None:
        """The claim `data.id`, 15 or 16 hexadecimal digits of the registration; None if it isn't there."""
        return self._id

    def days_left(self, now: datetime) -> int | None:
        """Return the whole days until the expiry: 0 on the last day, negative after it; `None` if it is unknown."""
        return None if self._expires_at is None else (self._expires_at - now) // timedelta(days=1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and hmac.compare_digest(self.reveal(), other.reveal())

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __repr__(self) -> str:
        expiry = "unknown" if self._expires_at is None else self._expires_at.isoformat()
        return f"<Token, not shown, expires_at={expiry}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Token can't be pickled or copied, because that would show its text")


def checked_token(token: Token | str | None) -> Token | None:
    """Return a client's token, made from its text if needed. Raises `TypeError`, which doesn't show the value."""
    if token is None or isinstance(token, Token):
        return token
    return Token(token)


def warning_due(token: Token, now: datetime, *, last_warned: int | None) -> int | None:
    """Return which of the days 14, 7, 3 and 1 the owner must be warned about now; `None` if there is nothing new.

    `last_warned` is the last result for this token. An expired token gives 0, once.
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
    """Return the claims of a JWT; none if the text can't be read as one."""
    parts = text.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):  # not base64, not UTF-8, not JSON, or nested too deep
        return {}
    return claims if isinstance(claims, dict) else {}


def _moment(seconds: object) -> datetime | None:
    """Return the time of a claim in UTC; `None` if it isn't a whole number of seconds within the calendar."""
    if type(seconds) is not int:
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None
