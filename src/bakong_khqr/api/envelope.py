"""An answer's HTTP status, `responseCode` and `errorCode` -> its data, or the error it means.

The one place where Bakong's answers become errors. Two rules carry the rest: only HTTP 200 can say "success" or "not
found", and whatever is not known is an error, never "unpaid".
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
"""Cambodia has had no summer time since it was fixed at UTC+7, so no time zone database is needed."""

UNAUTHORIZED, QUOTA = 6, 17

REPEATED = object()
"""The value of a member that an object names twice: which one is meant nobody can say, so no reader takes it."""

# Error code -> the error and what it says, for every endpoint alike. 1 and 11 ("nothing there") are read by endpoint.
# Codes 15 and 17 are in no document and were seen in production. 15 is a block or an outage, not a word on a payment.
ERRORS: dict[int, tuple[type[BakongError], str]] = {
    2: (
        StaticQRNotSupported,
        "Bakong can't follow a static code by its MD5: use a dynamic code, with an amount and an expiry",
    ),
    3: (TransactionFailed, "the payer's transaction failed"),
    4: (ServerUnavailable, "Bakong got no deep link from its provider"),
    5: (InvalidRequest, "Bakong misses a required field in what was sent"),
    UNAUTHORIZED: (Unauthorized, "Bakong doesn't take this token: it is wrong, expired, or of another environment"),
    7: (ServerUnavailable, "Bakong's mail server is down"),
    8: (InvalidRequest, "email: it is registered already, so renew its token instead"),
    9: (ServerUnavailable, "Bakong can't reach its own server"),
    10: (NotRegistered, "email: it isn't registered with Bakong"),
    12: (InvalidRequest, "account ID: Bakong finds it invalid (it must be name@bank)"),
    15: (ServerUnavailable, "Bakong is unstable, or refuses this server's address"),
    QUOTA: (QuotaExceeded, "the token's calls for today are spent"),
}

# At 4xx the code still tells more than the status, save for those that are a word on a payment: a relay says 400 with
# code 3 for "not paid", and Bakong itself says all of those with 200.
_ONLY_AT_200 = frozenset({2, 3})

_QUOTA_TEXT = re.compile(r"daily request limit", re.IGNORECASE)
_DELAY_SECONDS = re.compile(r"[0-9]{1,7}\Z")


@frozen(kw_only=True)
class Envelope:
    """A success: `data` is JSON as Python reads it, every fraction a `Decimal`, or None where the answer had none."""

    data: object = field(repr=False)


def open_envelope(response: Response, *, absent_code: int | None = None) -> Envelope | None:
    """The envelope of a success, or None when the answer is `absent_code`: "there is no such thing (yet)".

    Raises the `BakongError` that any other answer means.
    """
    document = _document_or_none(response.body)
    response_code, error_code = _codes(document)
    if response.status == 401 or error_code == UNAUTHORIZED:
        raise _error(UNAUTHORIZED, response)
    # One captured quota answer leaves the code out, so its words count too: before "not found" above all, which a call
    # that was never answered doesn't mean.
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
    # "Nothing there" that comes with something contradicts itself, and falls through.
    if response_code == 1 and error_code is not None and error_code == absent_code and not data:
        return None
    raise UnexpectedAnswer(_what_is_wrong(document))


def next_day_in_phnom_penh(now: datetime) -> datetime:
    """The next midnight in Phnom Penh, in UTC: when a spent daily quota is taken to be whole again."""
    today = now.astimezone(PHNOM_PENH).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today + timedelta(days=1)).astimezone(UTC)


def retry_after(response: Response) -> datetime | None:
    """When the answer's `Retry-After` (seconds, or an HTTP date) lets us ask again, in UTC; None if unreadable."""
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
        return RateLimited("Bakong wants fewer calls at a time (HTTP 429)", retry_at=retry_after(response))
    if status >= 500 or status == 408:
        return ServerUnavailable(f"Bakong is unavailable (HTTP {status})", retry_at=retry_after(response))
    if error_code in ERRORS and error_code not in _ONLY_AT_200:
        return _error(error_code, response)
    if status == 403:
        return Blocked(
            "refused at the door with HTTP 403: this server's country, a firewall, or a path that is closed; "
            "`khqr doctor` tells which"
        )
    if 400 <= status < 500:
        return InvalidRequest(f"Bakong refused what was sent (HTTP {status}); the payment's state is unknown")
    return UnexpectedAnswer(f"HTTP {status} is no answer of Bakong's; the payment's state is unknown")


def _document_or_none(body: bytes) -> object:
    """The body as JSON, or None. NaN, huge numbers and repeated members stay in it, as what no reader takes."""
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
    except ArithmeticError:  # an exponent that even Decimal has no room for
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
    """`responseCode` and `errorCode`, both None where either is no whole number; no error code, null and 0 are None."""
    if not isinstance(document, dict):
        return None, None
    response_code, error_code = document.get("responseCode"), document.get("errorCode")
    if error_code is None:
        error_code = 0
    if type(response_code) is not int or type(error_code) is not int:  # a bool is an int to isinstance
        return None, None
    return response_code, error_code or None


def _message(document: object) -> str:
    text = document.get("responseMessage") if isinstance(document, dict) else None
    return text if isinstance(text, str) else ""


def _what_is_wrong(document: object) -> str:
    """Why an HTTP 200 means nothing. It names codes and types only: the server's own words stay out of messages."""
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
