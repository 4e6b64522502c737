"""Prints the answers of commands: a table or lines for people, and JSON or CSV for programs.

Users write much of what is printed here. Their text is printed as text: it has no styles, no escape sequences, and no
formulas (`bakong_khqr.cli.writing` says what is escaped, and why).
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bakong_khqr.cli.writing import as_text, complain, json_text, say
from bakong_service.domain.spreadsheet import table
from bakong_service.resources import plain

__all__ = ["complain", "json", "many", "one", "say", "spreadsheet"]

_LEAST_WIDTH = 140
_WIDTH_OF_A_PIPE = 1_000_000  # more than any table has: a program or a person takes whole values from its lines


def one(found: Any, *, as_json: bool, tables: Mapping[str, Sequence[str]] | None = None) -> None:
    """Print a resource, or plain values by name, with one member in each line.

    For people, the lists that `tables` names stand below the other members, each with its columns.
    """
    found, tables = plain(found), tables or {}
    if as_json:
        json(found)
        return
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in found.items():
        if name not in tables:
            table.add_row(_cell(name), _cell(value))
    _console().print(table)
    for name, columns in tables.items():
        if found[name]:
            many(found[name], columns, as_json=False)


def many(rows: Sequence[Any], columns: Sequence[str], *, as_json: bool) -> None:
    """Print resources, or plain values by name, with these columns. JSON has all members."""
    rows = plain(rows)
    if as_json:
        json(rows)
        return
    table = Table(box=None, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)  # the first column is copied
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    _console().print(table)


def json(value: Any) -> None:
    """Print a value as JSON, indented."""
    sys.stdout.write(json_text(value, indent=2, ensure_ascii=False) + "\n")


def spreadsheet(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as CSV. A text that a spreadsheet would take for a formula has an apostrophe before it."""
    safe = [{name: as_text(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows]
    sys.stdout.write(table(columns, safe).replace("\r\n", "\n"))  # a terminal takes no carriage returns


def _console() -> Console:
    """Return a console that is wide enough for a table in a small window, and breaks no line in a pipe."""
    if not sys.stdout.isatty():
        return Console(width=_WIDTH_OF_A_PIPE)
    return Console(width=max(Console().width, _LEAST_WIDTH))


def _cell(value: Any) -> Text:
    """Return a value as text without markup: `[red]` in it is shown as it stands."""
    if value is None:
        return Text("-")
    return Text(json_text(value, ensure_ascii=False) if isinstance(value, dict | list) else as_text(str(value)))
