"""A payload as the command line is given it: an argument, or standard input for `-`."""

import sys
from typing import Annotated

from cyclopts import Parameter

Payload = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""The argument of a command that reads a payload."""


def payload_text(argument: str) -> str:
    """Return the payload. A line's end and a byte order mark belong to the shell, not to the payload.

    Bytes that aren't UTF-8 come through as lone surrogates, which every check refuses by name. A standard input that
    was closed holds nothing.
    """
    if argument != "-":
        return argument
    if sys.stdin is None:  # what Python makes of a closed one
        return ""
    return sys.stdin.buffer.read().decode("utf-8-sig", "surrogateescape").rstrip("\r\n")
