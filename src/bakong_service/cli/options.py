"""The options that many commands have."""

from typing import Annotated

from cyclopts import Parameter

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of a table.")]
Limit = Annotated[int, Parameter(help="Show at most this many.")]
Operator = Annotated[
    str | None, Parameter(help="Your name, for the history and the audit log. Without it, your login name is used.")
]
