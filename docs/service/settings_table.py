"""Draw the table of docs/service/settings.md from the code: `python docs/service/settings_table.py`."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import NOTHING, fields

from bakong_service.settings import Secret, Settings

PAGE = Path(__file__).with_name("settings.md")
BEGIN, END = "<!-- drawn by docs/service/settings_table.py -->\n", "<!-- end of the drawing -->\n"


def table() -> str:
    rows = [
        f"| `{field.name.upper()}`{' *' if field.metadata['secret'] else ''} | {default(field.default)} "
        f"| {field.metadata['meaning']} |"
        for field in fields(Settings)
    ]
    return "\n".join(["| name | default | meaning |", "|---|---|---|", *rows, ""])


def default(value: Any) -> str:
    if value is NOTHING:
        return "**required**"
    if value is None or value == ():
        return "none"
    if isinstance(value, Secret):
        return f"`{value.reveal()}`"
    return f"`{duration(value) if isinstance(value, timedelta) else value}`"


def duration(value: timedelta) -> str:
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if value.total_seconds() % seconds == 0:
            return f"{value.total_seconds() / seconds:g} {unit}"
    return f"{value.total_seconds():g} s"


def drawn(page: str) -> str:
    """Return the page with its table as the code has it."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
