"""What a data object's value means, in words, where the value alone doesn't say."""

from collections.abc import Callable
from datetime import timedelta, timezone

from bakong_khqr.emv.tags import Path
from bakong_khqr.timestamp import read_milliseconds, to_datetime

_PHNOM_PENH = timezone(timedelta(hours=7))  # Cambodia has no daylight saving time
_METHODS = {"11": "static: the payer may pay again and again", "12": "dynamic: for one payment"}
_CURRENCIES = {"116": "riel, KHR", "840": "US dollar, USD"}
_TIPS = {"01": "the payer is asked for a tip", "02": "a fixed fee is added", "03": "a percentage is added"}


def _moment(value: str) -> str:
    milliseconds = read_milliseconds(value)
    if milliseconds is None:
        return ""
    return f"{to_datetime(milliseconds).astimezone(_PHNOM_PENH):%Y-%m-%d %H:%M:%S} in Phnom Penh"


_MEANINGS: dict[Path, Callable[[str], str]] = {
    ("00",): {"01": "version 1"}.get,
    ("01",): _METHODS.get,
    ("53",): _CURRENCIES.get,
    ("55",): _TIPS.get,
    ("58",): {"KH": "Cambodia"}.get,
    ("99", "00"): _moment,
    ("99", "01"): _moment,
}  # type: ignore[dict-item]  # a missing key gives None, which `meaning` makes ""


def meaning(path: Path, value: str) -> str:
    """Return what `value` means at `path`, `""` where it speaks for itself or nobody knows."""
    explain = _MEANINGS.get(path)
    return (explain(value) or "") if explain else ""
