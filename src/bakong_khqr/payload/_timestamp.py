"""The times of a dynamic KHQR: data object 99, its creation and its expiry in milliseconds since 1970.

Callers see aware `datetime`s, or milliseconds as an `int` of 13 digits. Seconds (10 digits) are the mistake that bank
apps refuse a code for.
"""

import re
from datetime import UTC, datetime, timedelta

from bakong_khqr.errors import ErrorCode, InvalidKHQR, shown, shown_length

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_THIRTEEN_DIGITS = re.compile("[0-9]{13}")
_LEAST, _MOST = 10**12, 10**13 - 1


def check_aware(name: str, value: datetime) -> None:
    """Raise `TypeError` unless `value` is a `datetime`, and `ValueError` when it has no time zone."""
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be an aware datetime, not {type(value).__name__}")
    if value.utcoffset() is None:
        raise ValueError(f"{name} {value.isoformat()} has no time zone: pass an aware datetime")


def to_milliseconds(name: str, value: datetime | int) -> int:
    """Return `value` in milliseconds, cut below them.

    Raises `TypeError` unless it is a `datetime` or an `int`, `ValueError` for a `datetime` without a time zone.
    """
    if isinstance(value, datetime):
        check_aware(name, value)
        return (value - _EPOCH) // _MILLISECOND
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an aware datetime or an int of milliseconds, not {type(value).__name__}")
    return int(value)  # plain: an f-string would write a member of an (int, Enum) class by its name


def duration_milliseconds(name: str, value: timedelta) -> int:
    """Return a duration in milliseconds. Raises `TypeError` unless it is a `timedelta`."""
    if not isinstance(value, timedelta):
        raise TypeError(f"{name} must be a timedelta, not {type(value).__name__}")
    return value // _MILLISECOND


def to_datetime(milliseconds: int) -> datetime:
    """Return the aware UTC `datetime` of 13 digits of milliseconds."""
    return _EPOCH + milliseconds * _MILLISECOND


def read_milliseconds(text: str) -> int | None:
    """Return what a timestamp's 13 digits say; `None` if it isn't 13 digits. The first such moment is in 2001."""
    return int(text) if _THIRTEEN_DIGITS.fullmatch(text) and text[0] != "0" else None


def write_timestamps(created_ms: int, expires_ms: int) -> str:
    """Return data object 99.

    Raises `InvalidKHQR`: 49 for a moment that isn't 13 digits, 50 for an expiry before creation.
    """
    if _LEAST <= created_ms <= expires_ms <= _MOST:
        return f"99340013{created_ms}0113{expires_ms}"
    for name, moment in (("created_at", created_ms), ("expires_at", expires_ms)):
        if not _LEAST <= moment <= _MOST:
            raise length_fault(name, moment)
    raise past_fault(created_ms, expires_ms)


def length_fault(name: str, value: int | str, *, offset: int | None = None) -> InvalidKHQR:
    """Return the error of code 49: not 13 digits."""
    return InvalidKHQR(
        ErrorCode.EXPIRATION_TIMESTAMP_LENGTH_INVALID,
        f"{name} {shown(value)} is not 13 digits: milliseconds since 1970, not seconds",
        field=name,
        offset=offset,
        length=shown_length(value),
        limit=13,
    )


def past_fault(created_ms: int, expires_ms: int, *, offset: int | None = None) -> InvalidKHQR:
    """Return the error of code 50: the code expires before it was made."""
    return InvalidKHQR(
        ErrorCode.EXPIRATION_TIMESTAMP_IN_THE_PAST,
        f"expires_at {expires_ms} is before created_at {created_ms}",
        field="expires_at",
        offset=offset,
    )


def missing_fault(*, offset: int | None = None) -> InvalidKHQR:
    """Return the error of code 45: an amount without an expiry."""
    return InvalidKHQR(
        ErrorCode.EXPIRATION_TIMESTAMP_REQUIRED,
        "a KHQR with an amount needs an expiration timestamp (data object 99.01): pass expires_in or expires_at",
        field="expires_at",
        offset=offset,
    )
