"""The token that a client uses: whether to renew it now, and when to warn about its expiry. The client has the lock."""

from __future__ import annotations

from datetime import datetime, timedelta

from bakong_khqr.api.token import Token, warning_due
from bakong_khqr.errors import BakongError, Unauthorized

PAUSE = timedelta(minutes=1)
"""The least time between two renewals. If Bakong refuses a token that it just issued, another one won't help."""


class TokenInUse:
    """A token that may be replaced during calls. The client lets one thread or task at a time use this."""

    def __init__(self, token: Token | None) -> None:
        self.token = token
        self._last_attempt_at: datetime | None = None
        self._failure: BakongError | None = None
        self._last_warned: int | None = None

    def needs_renewal(self, refused: Token | None, error: Unauthorized, now: datetime) -> bool:
        """Return whether the caller has to renew the token, because its call with the token `refused` got `error`.

        Return False if another call has renewed it since: then send again with the new token. If the last renewal is
        less than a minute old, raise its error, or `error` if it succeeded but the new token is refused too.
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
        """Remember why a renewal failed, for the other calls that wait for it."""
        self._failure = error

    def abandoned(self) -> None:
        """Forget a renewal that was interrupted before its answer came, so that the next caller tries at once."""
        self._last_attempt_at = None

    def warning(self, now: datetime) -> str | None:
        """Return the warning for the owner of the token: one each at 14, 7, 3 and 1 days; else `None`."""
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
