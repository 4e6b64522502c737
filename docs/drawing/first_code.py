"""Draws the picture of the code that the first sample of the home page makes, at a moment that stays the same."""

import os
import re
import tempfile
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_type_hints

from bakong_khqr import KHQR, IndividualFields

PAGE = "assets/first-code.svg"
HOME = Path(__file__).parents[1] / "index.md"
MADE_AT = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def first_sample(page: Path) -> str:
    """Return the first Python sample of a page."""
    found = re.search(r"^```python[^\n]*\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"{page} has no sample")
    return found[1]


def made() -> KHQR:
    """Run the sample in an empty folder, and return its code as if it had been made at `MADE_AT`."""
    names: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        exec(compile(first_sample(HOME), os.fspath(HOME), "exec"), names)  # noqa: S102 - our own page
    khqr = names["khqr"]
    fields = {name: getattr(khqr, name, None) for name in get_type_hints(IndividualFields)}
    times = {"created_at": MADE_AT, "expires_at": MADE_AT + timedelta(minutes=10)}
    return KHQR.individual(**{name: value for name, value in fields.items() if value is not None} | times)


def drawing() -> str:
    return made().to_card(format="svg").strip() + "\n"
