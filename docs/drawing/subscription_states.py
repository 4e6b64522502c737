"""Draws what may happen to a subscription: the table and the refusals; `subscription_diagram` draws the picture."""

from bakong_service.domain.subscription import REFUSALS, TRANSITIONS, Status

PAGE = "service/subscription-states.md"
PICTURE = "![Each arrow has the numbers of its rows](../assets/subscription-states.svg){ .diagram }"


def arrows() -> dict[tuple[str, str], list[str]]:
    """Return the rows that lead from one status to another one, by both statuses."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in TRANSITIONS:
        for source in row.sources:
            if row.target is not None and source is not row.target:
                found.setdefault((str(source or "[*]"), str(row.target)), []).append(row.number)
    return found


def transitions() -> str:
    rows = []
    for row in TRANSITIONS:
        sources = ", ".join("none" if source is None else source.value for source in row.sources)
        target = "stays" if row.target is None else row.target.value
        tells = ", ".join(f"`{event}`" for event in row.tells) or "-"
        rows.append(f"| {row.number} | {sources} | {row.when} | {target} | {row.does} | {tells} |")
    return "\n".join(["| # | from | when | to | what it does | tells |", "|---|---|---|---|---|---|", *rows, ""])


def refusals() -> str:
    rows = [
        f"| {happening.value.replace('_', ' ')} | {status.value} | `{code}` | {advice} |"
        for (status, happening), (code, advice) in sorted(
            REFUSALS.items(), key=lambda row: (row[0][1], list(Status).index(row[0][0]))
        )
    ]
    return "\n".join(["| asked for | while it is | code | why, and what instead |", "|---|---|---|---|", *rows, ""])


def drawing() -> str:
    return "\n".join(
        [
            PICTURE,
            "",
            transitions(),
            "## What is refused",
            "",
            refusals(),
        ]
    )
