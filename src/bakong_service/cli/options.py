"""The options that many commands have."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter, Token


def _moment(_type: object, tokens: Sequence[Token]) -> datetime:
    text = tokens[0].value
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"must be a time such as 2027-01-31T17:00:00+07:00, or a date such as 2027-01-31; it is {text!r}"
        ) from None


AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of a table.")]
When = Annotated[datetime, Parameter(converter=_moment)]
"""A time as ISO 8601 has it. Without an offset, it is in this machine's time."""
Limit = Annotated[int, Parameter(help="Show at most this many.")]
Operator = Annotated[
    str | None, Parameter(help="Your name, for the history and the audit log. Without it, your login name is used.")
]
