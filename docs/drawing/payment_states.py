"""Draws the table of what may happen to a payment; `payment_diagram` draws the picture of it."""

from bakong_service.domain.payment import TRANSITIONS, On, PaymentStatus, Transition

PAGE = "service/payment-states.md"
PICTURE = "![Each arrow has the numbers of its rows](../assets/payment-states.svg){ .diagram }"

WORDS = {
    On.CREATE: "a payment is made",
    On.FOUND_OK: "the right money is seen",
    On.FOUND_MISMATCH: "other money is seen: amount, currency, receiver or time differ",
    On.FOUND_AGAIN: "money that is known is seen again",
    On.FOUND_UNREADABLE: "Bakong says paid, in a form that can't be read",
    On.NOT_FOUND: 'Bakong says "not found"',
    On.FAILED_TX: 'Bakong says "transaction failed"',
    On.STATIC_QR: "Bakong can't follow the code",
    On.NO_ANSWER: "no answer, whatever the reason",
    On.DEADLINE: "the deadline passes",
    On.WATCH_ENDED: "the watch is over, and Bakong never answered since the deadline",
    On.CANCEL: "the caller cancels",
    On.SUPERSEDE: "a newer payment for the same purpose",
    On.ACCEPT: "an operator accepts",
    On.CREDIT: "an operator puts it on the user's credit",
    On.RETURNED: "an operator sent it back",
    On.NOT_OURS: "an operator says that it isn't ours",
    On.REFUND: "an operator records a refund of all that is left",
    On.REFUND_PART: "an operator records a refund of a part",
    On.REVERSE: "an operator takes back what a refunded payment bought",
}


def arrows() -> dict[tuple[str, str], list[str]]:
    """Return the rows that lead from one status to another one, by both statuses."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in TRANSITIONS:
        for source in row.sources or ("[*]",):
            if row.to is not None and source != row.to:
                numbers = found.setdefault((str(source), row.to.value), [])
                if row.number not in numbers:
                    numbers.append(row.number)
    return found


def does(row: Transition) -> str:
    done = []
    if row.flag is not None:
        done.append(f"flag `{row.flag.value}`")
    if row.receipt is not None:
        done.append(f"receipt {row.receipt}")
    if row.review is not None:
        done.append(f"review item `{row.review}`")
    return ", ".join(done) or "-"


def transitions() -> str:
    rows = []
    for row in TRANSITIONS:
        sources = "all" if len(row.sources) == len(PaymentStatus) else ", ".join(row.sources) or "none"
        when = WORDS[row.on] + (f", {row.guard.value}" if row.guard.value else "")
        target = "stays" if row.to is None else row.to.value
        tells = f"`{row.event}`" if row.event else "-"
        rows.append(f"| {row.number} | {sources} | {when} | {target} | {does(row)} | {tells} |")
    return "\n".join(["| # | from | when | to | with it | tells |", "|---|---|---|---|---|---|", *rows, ""])


def drawing() -> str:
    return "\n".join([PICTURE, "", transitions()])
