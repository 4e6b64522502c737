"""Draws the table of URLs and the table of problem codes."""

from bakong_service.resources.problem_codes import PROBLEM_CODES
from bakong_service.web.routes import ROUTES

PAGE = "service/api.md"


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


def drawing() -> str:
    return "\n".join([routes(), "## Problem codes", "", problems()])
