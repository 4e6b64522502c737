"""Draws the table of the characters that each text field takes."""

from bakong_khqr.payload._fields import TEXT_FIELDS

PAGE = "payloads.md"


def table() -> str:
    places: dict[tuple[str, str, str], list[str]] = {}
    for one in TEXT_FIELDS:
        length = f"{one.limit}" if one.least == one.limit else f"{one.least} to {one.limit}"
        places.setdefault((one.name, length, one.alphabet), []).append(".".join(one.path))
    rows = [
        f"| `{name}` | {', '.join(ids)} | {length} | {alphabet} |" for (name, length, alphabet), ids in places.items()
    ]
    head = "| field | data object | characters | which characters |"
    return "\n".join([head, "|---|---|---|---|", *rows, ""])


def drawing() -> str:
    return table()
