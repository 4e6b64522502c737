"""Prints what commands answer, as text: no character of the data can act on the terminal.

A name or a payload comes from somebody else. Printed as it is, an escape sequence in it could change the window's title
or hide a line, and a bidirectional control could show an amount in another order. Both are shown as escapes instead.
"""

import json
import logging
import sys
from typing import Any
from unicodedata import category

_OF_KHMER = "\u200b\u200c"  # invisible, and a payload may have them: it is printed exactly as it is


def as_text(text: str) -> str:
    r"""Return `text` with every other control or invisible character as an escape, such as `\x1b` and `\u202e`."""
    if text.isprintable():
        return text
    return "".join(one if _is_shown(one) else one.encode("unicode_escape").decode() for one in text)


def json_text(value: Any, *, indent: int | None = None, ensure_ascii: bool = True) -> str:
    """Return a value as JSON without control and invisible characters: JSON's own escapes stand for them."""
    text = json.dumps(value, indent=indent, ensure_ascii=ensure_ascii)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(one if one == "\n" or _is_shown(one) else _json_escape(one) for one in text)


def say(*lines: object) -> None:
    """Print lines to standard output. A line break within a line is shown as an escape."""
    for line in lines:
        print(as_text(str(line)))


def say_json(value: Any) -> None:
    """Print a value as one line of JSON to standard output."""
    print(json_text(value))


def complain(*lines: object) -> None:
    """Print lines to standard error."""
    for line in lines:
        print(as_text(str(line)), file=sys.stderr)


class AsText(logging.Formatter):
    """Formats log records as text: they may quote what a server answered."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines."""
        return "\n".join(map(as_text, super().format(record).split("\n")))


def _json_escape(character: str) -> str:
    return r"\u007f" if character == "\x7f" else json.dumps(character)[1:-1]  # `json` leaves this one as it is


def _is_shown(character: str) -> bool:
    return character.isprintable() or character in _OF_KHMER or category(character) == "Zs"
