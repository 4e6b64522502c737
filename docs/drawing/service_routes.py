"""Draws the table of URLs and the table of problem codes."""

from bakong_service.web.problem_codes import PROBLEM_CODES
from bakong_service.web.routes import ROUTES

PAGE = "service/api.md"


def drawing() -> str:
    routes = [
        f"| {route.method} | `{route.path}` | {f'`{route.scope}`' if route.scope else 'open'} | "
        f"{route.summary}{' (test mode)' if route.test_only else ''} |"
        for route in ROUTES
    ]
    codes = [f"| {status} | `{code}` | {meaning} |" for code, (status, meaning) in PROBLEM_CODES.items()]
    return "\n".join(
        [
            "## URLs",
            "",
            "| method | path | scope | what it does |",
            "|---|---|---|---|",
            *routes,
            "",
            "## Codes of refusal",
            "",
            "| status | code | what to do |",
            "|---|---|---|",
            *codes,
            "",
        ]
    )
