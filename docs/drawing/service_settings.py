"""Draws the table of settings."""

from datetime import timedelta
from typing import Any

from attrs import NOTHING, fields

from bakong_service.settings import Secret, Settings

PAGE = "service/settings.md"


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


def drawing() -> str:
    return table()
