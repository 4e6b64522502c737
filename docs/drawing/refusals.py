"""Draws the table of refusals."""

from bakong_khqr.diagnosis._advice import ADVICE

PAGE = "why-is-my-khqr-refused.md"


def table() -> str:
    rows = [
        f"| {int(code)} | `{code.name}` | {advice.source} | {advice.change} |"
        for code, advice in sorted(ADVICE.items())
    ]
    return "\n".join(["| code | name | whose rule | what to change |", "|---|---|---|---|", *rows, ""])


def drawing() -> str:
    return table()
