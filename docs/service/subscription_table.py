"""Draw docs/service/subscription-states.md from the tables in the code: `python docs/service/subscription_table.py`."""

from pathlib import Path

from bakong_service.domain.subscription import REFUSALS, TRANSITIONS, Status

PAGE = Path(__file__).with_name("subscription-states.md")
BEGIN, END = "<!-- drawn by docs/service/subscription_table.py -->\n", "<!-- end of the drawing -->\n"


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


def drawn(page: str) -> str:
    """Return the page with its drawing as the code has it."""
    before, _, rest = page.partition(BEGIN)
    drawing = "\n".join(["", diagram(), transitions(), "## What is refused", "", refusals()])
    return before + BEGIN + drawing + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
