"""Draws what may happen to a subscription: the diagram, the table, the refusals."""

from bakong_service.domain.subscription import REFUSALS, TRANSITIONS, Status

PAGE = "service/subscription-states.md"


def diagram() -> str:
    arrows: dict[tuple[str, str], list[str]] = {}
    for row in TRANSITIONS:
        for source in row.sources:
            if row.target is not None and source is not row.target:
                arrows.setdefault((source or "[*]", row.target), []).append(row.number)
    lines = [f"    {source} --> {target}: {', '.join(numbers)}" for (source, target), numbers in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```", ""])


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
    return "\n".join([diagram(), transitions(), "## What is refused", "", refusals()])
