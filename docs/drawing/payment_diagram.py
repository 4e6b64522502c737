"""Draws the picture of what may happen to a payment."""

from payment_states import arrows
from shapes.state_diagram import START, Diagram

PAGE = "assets/payment-states.svg"

DIAGRAM = Diagram(
    title="The statuses of a payment, and the transitions between them",
    places={
        START: (1.65, 0),
        "pending": (1.65, 0.65),
        "failed": (0, 1.5),
        "timeout": (1.23, 2.0),
        "expired": (2.1, 2.0),
        "cancelled": (3.3, 1.5),
        "paid": (0, 3.4),
        "review": (3.3, 3.4),
        "refunded": (1.65, 4.1),
    },
    bends={
        ("pending", "paid"): -64,
        ("pending", "review"): 92,
        ("failed", "review"): -70,
        ("timeout", "review"): 30,
        ("review", "timeout"): 30,
    },
    ends=frozenset({"paid", "refunded"}),
)


def drawing() -> str:
    return DIAGRAM.draw(arrows())
