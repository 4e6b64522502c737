"""Draw the tables of docs/service/api.md from the code: `python docs/service/api_table.py`."""

from pathlib import Path

from bakong_service.web.problem_codes import PROBLEM_CODES
from bakong_service.web.routes import ROUTES

PAGE = Path(__file__).with_name("api.md")
BEGIN, END = "<!-- drawn by docs/service/api_table.py -->\n", "<!-- end of the drawing -->\n"


def routes() -> str:
    rows = [
        f"| {route.method} | `{route.path}` | {f'`{route.scope}`' if route.scope else 'open'} "
        f"| {route.summary}{', in test mode' if route.test_only else ''} |"
        for route in sorted(ROUTES, key=lambda route: (route.path.split("/")[1:3], route.path, route.method))
    ]
    return "\n".join(["| method | path | scope | what it does |", "|---|---|---|---|", *rows, ""])


def problems() -> str:
    rows = [f"| `{code}` | {status} | {meaning} |" for code, (status, meaning) in PROBLEM_CODES.items()]
    return "\n".join(["| code | status | what to do |", "|---|---|---|", *rows, ""])


def drawn(page: str) -> str:
    """Return the page with its tables as the code has them."""
    before, _, rest = page.partition(BEGIN)
    drawing = "\n".join(["", routes(), "## Problem codes", "", problems()])
    return before + BEGIN + drawing + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
