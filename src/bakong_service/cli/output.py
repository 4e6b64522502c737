"""What commands print: a table for people, or JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

_LEAST_WIDTH = 140

AsJson = Annotated[bool, Parameter(name="--json", negative="")]
"""The option that every command with an answer has."""


def one(found: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing, a member a line."""
    if as_json:
        _json(found)
        return
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in found.items():
        table.add_row(name, _cell(value))
    _console().print(table)


def many(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Rows, with the columns that a person wants to see; JSON has all."""
    if as_json:
        _json(rows)
        return
    table = Table(box=None, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)  # the first is what one copies
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    _console().print(table)


def _console() -> Console:
    """Wide enough for a table's lines, whatever width a pipe or a small window has."""
    return Console(width=max(Console().width, _LEAST_WIDTH))


def _json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
