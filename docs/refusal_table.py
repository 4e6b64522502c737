"""Draw the table of docs/why-is-my-khqr-refused.md from the table in the code: `python docs/refusal_table.py`."""

from pathlib import Path

from bakong_khqr.advice import ADVICE

PAGE = Path(__file__).with_name("why-is-my-khqr-refused.md")
BEGIN, END = "<!-- drawn by docs/refusal_table.py -->\n", "<!-- end of the drawing -->\n"


def table() -> str:
    rows = [
        f"| {int(code)} | `{code.name}` | {advice.source} | {advice.change} |"
        for code, advice in sorted(ADVICE.items())
    ]
    return "\n".join(["| code | name | whose rule | what to change |", "|---|---|---|---|", *rows, ""])


def drawn(page: str) -> str:
    """Return the page with its table as the code has it."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
