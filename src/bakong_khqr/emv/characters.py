"""Which characters a payload may hold: the printable ones of the Basic Multilingual Plane.

A length in a payload counts characters. Beyond that plane implementations count differently (JavaScript two, Python
one), so nobody could say where such a value ends; lone surrogates have no bytes in UTF-8; control characters have no
look.
"""

import re
from typing import TypeVar

from bakong_khqr.errors import ErrorCode, InvalidKHQR

T = TypeVar("T")

_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\U00010000-\U0010ffff]")


def exact(value: T) -> T:
    """Return a text as a plain `str`, and anything else as it is.

    A member of a `(str, Enum)` class is its text to `len` and its name to an f-string: written as it is given, a field
    would have the length of the one and the letters of the other.
    """
    return str.__str__(value) if isinstance(value, str) else value  # type: ignore[return-value]  # a str is one of T


def refused_character(text: str) -> int | None:
    """Return the place of the first character that a payload may not hold, or `None` when there is none."""
    if text.isascii() and text.isprintable():  # nearly every payload, at a hundredth of the search's cost
        return None
    found = _REFUSED.search(text)
    return found.start() if found else None


def character_fault(text: str, at: int, *, field: str | None = None, offset: int | None = None) -> InvalidKHQR:
    """Return the error for the refused character at index `at` of `text`."""
    where = "" if field is None else f"{field}: "
    rule = "control characters, lone surrogates and characters outside the Basic Multilingual Plane are refused"
    return InvalidKHQR(
        ErrorCode.CHARACTER_REFUSED,
        f"{where}U+{ord(text[at]):04X} has no place in a payload: {rule}",
        field=field,
        offset=offset,
    )
