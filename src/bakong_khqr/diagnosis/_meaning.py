"""What a data object's value means, in words, if the value alone doesn't say it."""

from datetime import timedelta, timezone

from bakong_khqr.diagnosis._abroad import COUNTRIES, CURRENCIES
from bakong_khqr.emv.tags import Path
from bakong_khqr.money import Currency
from bakong_khqr.payload._timestamp import read_milliseconds, to_datetime

_PHNOM_PENH = timezone(timedelta(hours=7))  # Cambodia has no daylight saving time
_WORDS: dict[Path, dict[str, str]] = {
    ("00",): {"01": "version 1"},
    ("01",): {"11": "static: the payer may pay again and again", "12": "dynamic: for one payment"},
    ("53",): CURRENCIES | {one.numeric_code: f"{one.full_name}, {one}" for one in Currency},
    ("55",): {"01": "the payer is asked for a tip", "02": "a fixed fee is added", "03": "a percentage is added"},
    ("58",): {code: name.removeprefix("the ") for code, name in COUNTRIES.items()},
}


def meaning(path: Path, value: str) -> str:
    """Return what `value` means at `path`; `""` if it speaks for itself, or nobody knows."""
    if path in (("99", "00"), ("99", "01")) and (milliseconds := read_milliseconds(value)) is not None:
        return f"{to_datetime(milliseconds).astimezone(_PHNOM_PENH):%Y-%m-%d %H:%M:%S} in Phnom Penh"
    return _WORDS.get(path, {}).get(value, "")
