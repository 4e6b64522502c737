"""Reads a payload from the command line: from an argument, or from standard input for `-`."""

import sys
from typing import Annotated

from cyclopts import Parameter

Payload = Annotated[
    str,
    Parameter(allow_leading_hyphen=True, help="The text of the code. `-`, or nothing, reads it from standard input."),
]
"""The argument of a command that reads a payload."""


def payload_text(argument: str) -> str:
    """Return the payload, without a line end and a byte order mark, which are not part of it.

    Bytes that aren't UTF-8 become lone surrogates, which every check refuses. A closed standard input is empty.
    """
    if argument != "-":
        return argument
    if sys.stdin is None:  # standard input is closed
        return ""
    return sys.stdin.buffer.read().decode("utf-8-sig", "surrogateescape").rstrip("\r\n")
