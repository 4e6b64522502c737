"""Draws the table of what a peer may take of the service."""

from attrs import fields

from bakong_service.web.http.server import BOUNDS, Bounds

PAGE = "service/running.md"


def drawing() -> str:
    rows = [
        f"| `{each.name}` | {getattr(BOUNDS, each.name):,.10g} {each.metadata['unit']} | {each.metadata['meaning']} |"
        for each in fields(Bounds)
    ]
    return "\n".join(["| bound | value | meaning |", "|---|---|---|", *rows, ""])
