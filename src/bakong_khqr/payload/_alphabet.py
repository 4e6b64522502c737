"""Which characters a field takes when a code is made. `_fields.py` says which field takes which alphabet.

Codes that others made may have other characters: they are read, and `inspect` notes the characters.
"""

import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum

from bakong_khqr.emv.characters import refused_character


class Alphabet(StrEnum):
    """The characters of a field; the value says them in words, and the documentation shows these words."""

    DIGITS = "digits 0 to 9"
    VISIBLE_ASCII = "letters, digits and signs of ASCII, no spaces"
    TEXT = "any visible characters, and the plain space"
    KHMER_TEXT = "any visible characters, the plain space, and the two invisible characters that Khmer is written with"


# `str.isprintable` is false for controls, formats, surrogates, private and unassigned characters and every space but
# the plain one: Unicode's Cc, Cf, Cs, Co, Cn, Zl, Zp and Zs. These are invisible too, and counted as letters or marks:
# joiners, fillers, Khmer's inherent vowels (which the Unicode standard advises against), and variation selectors.
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")

# Khmer has no spaces between words: U+200B (which its keyboards have on the space bar) says where a line may break.
# U+200C stands beside a register shifter (U+17C9, U+17CA) that must keep its shape above the letter: Unicode
# standard, 16.4. U+200D changes nothing in Khmer, so it is refused; so are these two away from Khmer letters, where
# they only make two names look alike.
_KHMER_JOINT = re.compile(
    "(?<=[\u1780-\u17ff])\u200b|\u200b(?=[\u1780-\u17ff])|(?<=[\u17c9\u17ca])\u200c|\u200c(?=[\u17c9\u17ca])"
)


def refused_places(alphabet: Alphabet, text: str) -> Iterator[int]:
    """Yield the places of the characters of `text` that `alphabet` doesn't have."""
    if text.isascii() and text.isprintable() and (alphabet is Alphabet.TEXT or alphabet is Alphabet.KHMER_TEXT):
        return
    for at, one in enumerate(text):
        if not _has(alphabet, text, at, one):
            yield at


def first_refused(alphabet: Alphabet, text: str) -> int | None:
    """Return the place of the first character of `text` that `alphabet` doesn't have, `None` if it has them all."""
    return next(refused_places(alphabet, text), None)


def _has(alphabet: Alphabet, text: str, at: int, one: str) -> bool:
    if alphabet is Alphabet.DIGITS:
        return "0" <= one <= "9"
    if alphabet is Alphabet.VISIBLE_ASCII:
        return "!" <= one <= "~"
    if one.isprintable() and refused_character(one) is None and _INVISIBLE.match(one) is None:
        return True
    return alphabet is Alphabet.KHMER_TEXT and _KHMER_JOINT.match(text, at) is not None


def character_name(one: str) -> str:
    """Return how a message calls a character: `U+00A0 NO-BREAK SPACE`."""
    return f"U+{ord(one):04X} {unicodedata.name(one, '')}".rstrip()
