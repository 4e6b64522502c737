"""Draws the promises that `verify` checks."""

from bakong_service.storage.checks import altered, sealed
from bakong_service.storage.checks.invariants import INVARIANTS
from bakong_service.storage.ledger import period_values

PAGE = "design/promises.md"


def drawing() -> str:
    checked = [(row.number, row.promise) for row in INVARIANTS]
    checked += [("I11", period_values.PROMISE), ("I15", sealed.PROMISE)]
    checked += [("I16", altered.PAYMENTS), ("I17", altered.KEYS)]
    rows = [f"| {number} | {promise} |" for number, promise in sorted(checked, key=lambda row: int(row[0][1:]))]
    return "\n".join(["| number | promise |", "|---|---|", *rows, ""])
