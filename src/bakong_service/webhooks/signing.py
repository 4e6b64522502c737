"""Makes and verifies signatures of Standard Webhooks, scheme `v1`: HMAC-SHA256 over `id.timestamp.body`.

`bakong_service.domain.webhook_secret` says what a secret may be.
"""

import base64
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from bakong_service.domain.webhook_secret import key_of
from bakong_service.webhooks.nesting import is_deeper

_SCHEME = "v1"
_LEVELS = 100  # of nesting in an event: the service makes none with more than a few


class InvalidSignature(Exception):  # noqa: N818 - what happened
    """The delivery isn't from the service, was altered, or is too old. Answer with 401 and do nothing else."""


def sign(event_id: str, body: bytes, secrets: Iterable[str], *, at: datetime) -> dict[str, str]:
    """Return the headers `webhook-id`, `webhook-timestamp` (Unix seconds) and `webhook-signature`.

    There is one signature per secret, so that both are valid while a secret is being replaced. Raises `ValueError` for
    an invalid secret.
    """
    timestamp = str(int(at.timestamp()))
    signatures = " ".join(f"{_SCHEME},{_signature(key_of(secret), event_id, timestamp, body)}" for secret in secrets)
    return {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": signatures}


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secret: str | Iterable[str],
    *,
    now: datetime | None = None,
    tolerance_seconds: int = 300,
) -> dict[str, Any]:
    """Verify the signature of a delivery and return its event.

    `body` is the request's body as it came, before any parsing; `headers` are its headers, in upper or lower case.
    `secret` may be several secrets while one replaces another. A delivery that was signed more than `tolerance_seconds`
    before or after `now` is refused, so that nobody can send an old one again. Raises `InvalidSignature`, and
    `ValueError` for an invalid secret.
    """
    named = {name.lower(): value for name, value in headers.items()}
    try:
        event_id, timestamp, signatures = (named[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise InvalidSignature(f"the header {error.args[0]} is missing") from None
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise InvalidSignature("the header webhook-timestamp isn't a whole number of seconds")
    age = int((now or datetime.now(UTC)).timestamp()) - int(timestamp)
    if abs(age) > tolerance_seconds:
        raise InvalidSignature(f"signed {age} s before now; at most {tolerance_seconds} s may lie between")

    keys = [key_of(each) for each in ([secret] if isinstance(secret, str) else secret)]
    expected = [_signature(key, event_id, timestamp, body).encode() for key in keys]
    given = [part.removeprefix(f"{_SCHEME},") for part in signatures.split() if part.startswith(f"{_SCHEME},")]
    # Every pair is compared in constant time, so that the time says nothing about the signature.
    matches = [hmac.compare_digest(one, other.encode()) for one in expected for other in given]
    if not any(matches):
        raise InvalidSignature("no signature matches: another secret, or the body was altered")
    if is_deeper(body, _LEVELS):
        raise InvalidSignature(f"the body is signed, and yet nested deeper than {_LEVELS} levels")
    try:
        event = json.loads(body)
    except ValueError as error:
        raise InvalidSignature("the signature is right, but the body isn't JSON") from error
    if not isinstance(event, dict):
        raise InvalidSignature("the signature is right, but the body isn't a JSON object")
    return event


def _signature(key: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
