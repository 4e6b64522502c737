"""Runs an operation once for its idempotency key.

The key, the answer and what the operation does are committed together, so a crash leaves all of them or nothing.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field, frozen
from sqlalchemy import Connection

from bakong_service.domain.errors import Conflict, Fault, Invalid
from bakong_service.resources import encode
from bakong_service.storage import idempotency
from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.storage.idempotency import Claim, Kept

KEPT_FOR = timedelta(days=7)

Again = Callable[[Connection, dict[str, Any]], dict[str, Any]]
"""Makes a repeated answer of a stored one: a secret in it may not be shown again."""


@frozen
class Success:
    """The answer of an operation: a status and a resource."""

    status: int
    body: Any


@define(kw_only=True)
class Once:
    """An operation that an executor runs at most once for its key."""

    claim: Claim
    fingerprint: str  # of the request: the same key with another fingerprint is refused
    now: datetime
    operation: Callable[[Connection], Success]
    seal: Callable[[str, str], bytes]
    _waits: bool = field(default=True, init=False)

    def run(self, connection: Connection) -> tuple[Kept, bool]:
        """Return the stored answer, and whether an earlier request with the same key made it."""
        self._waits = True
        expires_at = self.now + KEPT_FOR
        claimed = idempotency.claim(
            connection, self.claim, fingerprint=self.fingerprint, expires_at=expires_at, now=self.now
        )
        self._waits = False
        if not claimed:
            kept = idempotency.find(connection, self.claim)
            if kept is None:  # the other request's row expired at this moment
                raise under_way()
            if kept.fingerprint != self.fingerprint:
                raise _another_body()
            return kept, True
        answer = self.operation(connection)
        body = self.seal(encode(answer.body).decode(), self.claim.place)
        idempotency.keep(connection, self.claim, status=answer.status, body=body)
        return Kept(self.fingerprint, answer.status, body), False

    def committed(self, connection: Connection) -> tuple[Kept, bool] | None:
        """Return the answer if a commit arrived whose own answer was lost."""
        kept = idempotency.find(connection, self.claim)
        return None if kept is None else (kept, False)

    def waited(self, error: DatabaseUnavailable) -> bool:
        """Return whether the database only waited for another request with the same key."""
        return self._waits and idempotency.TABLE in error.waited_in


def under_way() -> Conflict:
    return Conflict("idempotency_in_progress", "a request with this Idempotency-Key is under way; repeat this one soon")


def _another_body() -> Invalid:
    rule = "this key was used for another request; take a new one"
    fault = Fault("Idempotency-Key", "idempotency_key_reused", rule)
    return Invalid("idempotency_key_reused", f"Idempotency-Key: {rule}", (fault,))
