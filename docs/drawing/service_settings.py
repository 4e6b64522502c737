"""Draws the table of settings."""

from datetime import timedelta

from attrs import NOTHING, fields

from bakong_service.settings import Settings

PAGE = "service/settings.md"
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def drawing() -> str:
    rows = []
    for attribute in fields(Settings):
        secret = " (secret)" if attribute.metadata["secret"] else ""
        rows.append(
            f"| `{attribute.name.upper()}`{secret} | {_default(attribute.default)} | {attribute.metadata['meaning']} |"
        )
    return "\n".join(["| name | default | meaning |", "|---|---|---|", *rows, ""])


def _default(value: object) -> str:
    match value:
        case v if v is NOTHING:
            return "**required**"
        case None | ():
            return "none"
        case timedelta():
            seconds = int(value.total_seconds())
            size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
            return f"{seconds // size} {unit}"
        case _ if hasattr(value, "reveal"):
            return f"`{value.reveal()}`"
        case _:
            return f"`{value}`"
