"""What happened to a payload on its way: quotes, blanks, a byte order mark, URL encoding, a wrong decoding.

A slip is recognised by undoing it: afterwards the text can be read to its end, or its checksum is right, and before
that it wasn't so. Nothing is repaired in silence: `inspect` names the slip and what to do.
"""

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote, unquote_plus

from attrs import frozen

from bakong_khqr.emv.crc import crc16
from bakong_khqr.emv.tlv import MOST_CHARACTERS, split
from bakong_khqr.errors import InvalidKHQR

MOST_COPIED = 10 * MOST_CHARACTERS
"""A text's most characters that are looked at: URL encoding makes nine of one Khmer character."""

_QUOTES = "\"'`‘’‚“”„«»"
_BLANKS = " \t\r\n\u00a0\u200b\u2060\u3000"
_MARK_AS_LATIN_1 = "ï»¿"
_LINE_ENDS = re.compile("[\t\r\n]")


@frozen
class Slip:
    """One thing that happened: its name, what it is, and what to do about it."""

    name: str
    message: str
    change: str


SLIPS = {
    one.name: one
    for one in (
        Slip("byte_order_mark", "there is a byte order mark before the text", "Read the file as utf-8-sig."),
        Slip("quotes_around", "there are quotes around the text", "Copy the text without them."),
        Slip(
            "blanks_or_line_ends",
            "there are spaces or line ends that aren't part of the text",
            "Copy the text in one line, from 000201 to the last four digits, with plain spaces.",
        ),
        Slip("url_encoded", "the text is URL-encoded", "Decode it once more before it is read, such as %40 to @."),
        Slip(
            "read_as_latin_1",
            "the text is UTF-8 that was read as Latin-1 or Windows-1252",
            "Read the text as UTF-8 where it comes in: a file, an answer or a database column.",
        ),
        Slip(
            "lengths_in_bytes",
            "its lengths count the bytes of UTF-8; a length counts characters",
            "Make a new code with lengths in characters: a Khmer letter counts one, and not three.",
        ),
    )
}
"""By name; `docs/why-is-my-khqr-refused.md` has a row for each."""


def slips(text: str) -> tuple[Slip, ...]:
    """Return what happened to a payload on its way, in the order in which to undo it; `()` if nothing is known."""
    if not text or len(text) > MOST_COPIED or (before := _wholeness(text)) == 2:
        return ()
    found: list[str] = []
    for _ in range(3):  # quotes in blanks in quotes: anything deeper isn't an accident
        for name, undo in _UNDO.items():
            candidates = list(undo(text))
            better = [one for one in candidates if _wholeness(one) > before]
            if better or (candidates and candidates[0] != text):
                found.append(name)
                text = [*better, *candidates][0]
            if better or _counts_bytes(text):
                found += ["lengths_in_bytes"] if _counts_bytes(text) else []
                return tuple(SLIPS[one] for one in dict.fromkeys(found))
    return ()


# Each undoes one slip. What it yields first is safe to go on with; what comes after is a guess, which only a text that
# is whole then proves right: a plus sign or a no-break space may well be part of the payload.


def _without_mark(text: str) -> Iterator[str]:
    yield text.removeprefix("\ufeff").removeprefix(_MARK_AS_LATIN_1)


def _without_quotes(text: str) -> Iterator[str]:
    yield text.strip(_QUOTES)


def _without_blanks(text: str) -> Iterator[str]:
    text = _LINE_ENDS.sub("", text.strip(_BLANKS))
    yield text
    yield text.replace("\u00a0", " ")


def _url_decoded(text: str) -> Iterator[str]:
    for decode in (unquote, unquote_plus):
        try:
            yield decode(text, errors="strict")
        except UnicodeDecodeError:
            return


def _read_as_utf_8(text: str) -> Iterator[str]:
    try:
        yield b"".join(map(_byte, text)).decode()
    except UnicodeError:
        return


def _byte(one: str) -> bytes:
    """Return the byte that Latin-1 or Windows-1252 shows as this character; the second has no sign for some bytes."""
    return one.encode("latin-1" if ord(one) < 0x100 else "cp1252")


_UNDO: dict[str, Callable[[str], Iterator[str]]] = {
    "byte_order_mark": _without_mark,
    "quotes_around": _without_quotes,
    "blanks_or_line_ends": _without_blanks,
    "url_encoded": _url_decoded,
    "read_as_latin_1": _read_as_utf_8,
}


def _wholeness(text: str) -> int:
    """Return 2 for a text that reads to its end and has a right checksum, 1 for one of the two, 0 for none."""
    return _reads_to_its_end(text) + _has_right_checksum(text)


def _reads_to_its_end(text: str) -> bool:
    pairs, stop = split(text)
    # A reader that is out of step may still come to the end by chance; then it meets an ID twice.
    whole = stop == len(text) and len(dict(pairs)) == len(pairs) > 1
    return whole and pairs[0][0] == "00" and pairs[-1][0] == "63"


def _has_right_checksum(text: str) -> bool:
    try:
        return text[-8:-4] == "6304" and crc16(text[:-4]) == text[-4:].upper()
    except InvalidKHQR:  # a lone surrogate has no bytes
        return False


def _counts_bytes(text: str) -> bool:
    """Say whether a text that can't be read by characters reads to its end by the bytes of UTF-8."""
    if text.isascii() or _reads_to_its_end(text):
        return False
    try:
        as_bytes = text.encode().decode("latin-1")  # one character for each byte
    except UnicodeEncodeError:
        return False
    return _reads_to_its_end(as_bytes)
