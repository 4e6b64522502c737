"""Turns an answer's HTTP status, `responseCode` and `errorCode` into its data or an error.

Only here do Bakong's answers become errors. There are two rules: only HTTP 200 can mean "success" or "not found", and
anything unknown is an error, never "unpaid".
"""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime

from attrs import field, frozen

from bakong_khqr.api.call import Response
from bakong_khqr.errors import (
    BakongError,
    Blocked,
    InvalidRequest,
    NotRegistered,
    QuotaExceeded,
    RateLimited,
    ServerUnavailable,
    StaticQRNotSupported,
    TransactionFailed,
    Unauthorized,
    UnexpectedAnswer,
)

PHNOM_PENH = timezone(timedelta(hours=7), "Asia/Phnom_Penh")
"""Cambodia is always at UTC+7, so no time zone database is needed."""

UNAUTHORIZED, QUOTA = 6, 17

REPEATED = object()
"""The value of a member that an object has twice. Nobody can say which value is right, so no reader takes it."""

# The error and its message for each error code, for every endpoint. Each endpoint reads the codes 1 and 11 ("there is
# none") itself. No document has the codes 15 and 17, but production sends them. Code 15 is a block or an outage, and
# says nothing about a payment.
ERRORS: dict[int, tuple[type[BakongError], str]] = {
    2: (
        StaticQRNotSupported,
        "Bakong can't track a static code by its MD5: use a dynamic code, with an amount and an expiry",
    ),
    3: (TransactionFailed, "the payer's transaction failed"),
    4: (ServerUnavailable, "Bakong's provider gave no deep link"),
    5: (InvalidRequest, "a required field is missing in the request"),
    UNAUTHORIZED: (Unauthorized, "Bakong refuses this token: it is wrong, expired, or of another environment"),
    7: (ServerUnavailable, "Bakong's mail server is down"),
    8: (InvalidRequest, "email: it is registered already: renew its token"),
    9: (ServerUnavailable, "Bakong can't reach its own server"),
    10: (NotRegistered, "email: it isn't registered with Bakong"),
    12: (InvalidRequest, "account ID: Bakong says that it is invalid (it must be name@bank)"),
    15: (ServerUnavailable, "Bakong is unstable, or refuses this server's address"),
    QUOTA: (QuotaExceeded, "the token's calls for today are spent"),
}

# At 4xx the error code says more than the status. But codes about the payment count only with HTTP 200, as Bakong sends
# them: a relay sends 400 with code 3 for "not paid".
_ONLY_AT_200 = frozenset({2, 3})

_QUOTA_TEXT = re.compile(r"daily request limit", re.IGNORECASE)
_DELAY_SECONDS = re.compile(r"[0-9]{1,7}\Z")


@frozen(kw_only=True)
class Envelope:
    """A success. `data` is JSON, with every fraction as a `Decimal`, or `None` if the answer has no data."""

    data: object = field(repr=False)


def open_envelope(response: Response, *, absent_code: int | None = None) -> Envelope | None:
    """Return the envelope of a success, or `None` if the answer is `absent_code`: "there is none (yet)".

    Raises a `BakongError` for any other answer.
    """
    document = _document_or_none(response.body)
    response_code, error_code = _codes(document)
    if response.status == 401 or error_code == UNAUTHORIZED:
        raise _error(UNAUTHORIZED, response)
    # An answer about the quota may have no code, so its words count too. This comes before "not found", because a
    # refused call doesn't mean that.
    said = response_code == 1 and error_code not in ERRORS and _QUOTA_TEXT.search(_message(document))
    if error_code == QUOTA or said:
        raise _error(QUOTA, response)
    if response.status != 200:
        raise _error_of_status(response, error_code)
    data = document.get("data") if isinstance(document, dict) else None
    if response_code == 0 and error_code is None:
        return Envelope(data=data)
    if response_code == 1 and error_code in ERRORS:
        raise _error(error_code, response)
    # "There is none" with data contradicts itself, so it is an error.
    if response_code == 1 and error_code is not None and error_code == absent_code and not data:
        return None
    raise UnexpectedAnswer(_what_is_wrong(document))


def next_day_in_phnom_penh(now: datetime) -> datetime:
    """Return the next midnight in Phnom Penh, in UTC. The SDK assumes that the daily quota starts again then."""
    today = now.astimezone(PHNOM_PENH).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today + timedelta(days=1)).astimezone(UTC)


def retry_after(response: Response) -> datetime | None:
    """Return the time of the answer's `Retry-After` (seconds, or an HTTP date) in UTC; `None` if it can't be read."""
    text = response.headers.get("retry-after", "").strip()
    if _DELAY_SECONDS.match(text):
        return response.received_at + timedelta(seconds=int(text))
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _error(code: int, response: Response) -> BakongError:
    kind, text = ERRORS[code]
    retry_at = next_day_in_phnom_penh(response.received_at) if code == QUOTA else None
    return kind(f"{text} (HTTP {response.status}, error code {code})", retry_at=retry_at)


def _error_of_status(response: Response, error_code: int | None) -> BakongError:
    status = response.status
    if status == 429:
        return RateLimited("too many calls in a short time (HTTP 429)", retry_at=retry_after(response))
    if status >= 500 or status == 408:
        return ServerUnavailable(f"Bakong is unavailable (HTTP {status})", retry_at=retry_after(response))
    if error_code in ERRORS and error_code not in _ONLY_AT_200:
        return _error(error_code, response)
    if status == 403:
        return Blocked(
            "refused with HTTP 403: because of this server's country, a firewall, or a closed path; "
            "`khqr doctor` says which"
        )
    if 400 <= status < 500:
        return InvalidRequest(f"Bakong refused the request (HTTP {status}); the payment's state is unknown")
    return UnexpectedAnswer(f"HTTP {status} isn't an answer that Bakong gives; the payment's state is unknown")


def _document_or_none(body: bytes) -> object:
    """Return the body as JSON, or `None`. No reader accepts NaN, huge numbers and repeated members."""
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_decimal,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested beyond any answer
        return None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent that is too large even for Decimal
        return Decimal("NaN")


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= 20 else Decimal(text)  # Python refuses to read an int of many thousand digits


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen = Counter(name for name, _ in pairs)
        members.update((name, REPEATED) for name, times in seen.items() if times > 1)
    return members


def _codes(document: object) -> tuple[int | None, int | None]:
    """Return `responseCode` and `errorCode`, both `None` if either isn't a whole number.

    A missing error code, null and 0 are `None`.
    """
    if not isinstance(document, dict):
        return None, None
    response_code, error_code = document.get("responseCode"), document.get("errorCode")
    if error_code is None:
        error_code = 0
    if type(response_code) is not int or type(error_code) is not int:  # isinstance takes a bool for an int
        return None, None
    return response_code, error_code or None


def _message(document: object) -> str:
    text = document.get("responseMessage") if isinstance(document, dict) else None
    return text if isinstance(text, str) else ""


def _what_is_wrong(document: object) -> str:
    """Return why an HTTP 200 means nothing. Only codes and types are named, because the server's text isn't trusted."""
    if not isinstance(document, dict):
        return "HTTP 200 with a body that isn't a JSON object; the payment's state is unknown"
    codes = f"responseCode {_shown(document.get('responseCode'))} and errorCode {_shown(document.get('errorCode'))}"
    with_data = " and data" if document.get("data") else ""
    return f"HTTP 200 with {codes}{with_data}, which means nothing to this call; the payment's state is unknown"


def _shown(value: object) -> str:
    return (
        str(value)
        if value is None or (isinstance(value, int) and abs(value) < 10**6)
        else f"of type {type(value).__name__}"
    )
