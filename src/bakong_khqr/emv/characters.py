"""Which characters a payload may hold: the printable ones of the Basic Multilingual Plane.

A length in a payload counts characters. Beyond that plane implementations count differently (JavaScript two, Python
one), so readers would disagree where such a value ends. Lone surrogates have no bytes in UTF-8, and control
characters can't be seen.
"""

import re
from typing import TypeVar

from bakong_khqr.errors import ErrorCode, InvalidKHQR

T = TypeVar("T")

_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\U00010000-\U0010ffff]")


def exact(value: T) -> T:
    """Return a text as a plain `str`, and anything else as it is.

    For a member of a `(str, Enum)` class, `len()` measures the value but an f-string may write the name, so the length
    and the text of a field could disagree.
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


def printable(text: str) -> str:
    """Return `text` with every invisible character spelled out, so that a payload can't control a terminal."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)
