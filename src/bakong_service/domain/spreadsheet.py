"""A table as CSV that a spreadsheet opens without running any of it."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV with a header. A missing value is an empty cell."""
    written = StringIO(newline="")
    writer = csv.writer(written)  # ends lines with CRLF, as RFC 4180 has it
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return written.getvalue()


def _cell(value: Any) -> str:
    """Return the text of a cell. A text that a spreadsheet would take for a formula gets an apostrophe before it.

    A caller chooses user ids, so one may send `=HYPERLINK(...)`. See OWASP, "CSV Injection".
    """
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
