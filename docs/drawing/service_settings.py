"""Draws the table of settings."""

from typing import Any

from attrs import NOTHING, fields

from bakong_service.settings import Settings
from bakong_service.settings.written import written

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
    text = written(value)
    return f"`{text}`" if text else "none"


def drawing() -> str:
    return table()
