"""The token a client has in use: whether to renew it now, and when to warn of its end. The client holds the lock."""

from __future__ import annotations

from datetime import datetime, timedelta

from bakong_khqr.api.token import Token, warning_due
from bakong_khqr.errors import BakongError, Unauthorized

PAUSE = timedelta(minutes=1)
"""Between two renewals. A token refused right after it was issued won't get better by issuing more of them."""


class TokenInUse:
    """A token that may be replaced while calls are under way. The client lets in one thread or task at a time."""

    def __init__(self, token: Token | None) -> None:
        self.token = token
        self._last_attempt_at: datetime | None = None
        self._failure: BakongError | None = None
        self._last_warned: int | None = None

    def needs_renewal(self, refused: Token | None, error: Unauthorized, now: datetime) -> bool:
        """Whether the caller, whose call with the token `refused` got `error`, is to renew.

        False when another has renewed it meanwhile: send again with the new one. Raises when the last renewal is less
        than a minute old: what it failed with, or `error` when it went well and the new token is refused too.
        """
        if self.token != refused:
            return False
        if self._last_attempt_at is not None and now - self._last_attempt_at < PAUSE:
            raise self._failure or error
        self._last_attempt_at = now
        return True

    def renewed(self, token: Token) -> None:
        """Take the new token into use."""
        self.token, self._failure, self._last_warned = token, None, None

    def not_renewed(self, error: BakongError) -> None:
        """Remember why a renewal failed, for the others who wait for it."""
        self._failure = error

    def abandoned(self) -> None:
        """Forget a renewal that was cut off before it had an answer, so that the next caller tries at once."""
        self._last_attempt_at = None

    def warning(self, now: datetime) -> str | None:
        """What to tell the token's owner now, once at each of 14, 7, 3 and 1 days; None when there is nothing new."""
        if self.token is None or self.token.expires_at is None:
            return None
        due = warning_due(self.token, now, last_warned=self._last_warned)
        if due is None:
            return None
        self._last_warned = due
        expiry = self.token.expires_at.isoformat(timespec="minutes")
        if due == 0:
            return f"the Bakong token expired at {expiry}: renew it"
        return f"the Bakong token expires in less than {due} {'day' if due == 1 else 'days'}, at {expiry}: renew it"
