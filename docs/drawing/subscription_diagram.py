"""Draws the picture of what may happen to a subscription."""

from shapes.state_diagram import START, Diagram
from subscription_states import arrows

PAGE = "assets/subscription-states.svg"

DIAGRAM = Diagram(
    title="The statuses of a subscription, and the transitions between them",
    places={START: (0, 1), "active": (1, 1), "past_due": (2.2, 0), "cancelled": (2.2, 2), "expired": (3.4, 1)},
    bends={
        ("past_due", "active"): 44,
        ("active", "past_due"): 44,
        ("past_due", "cancelled"): 120,
        ("active", "cancelled"): 44,
        ("cancelled", "active"): 44,
        ("active", "expired"): 40,
        ("expired", "active"): 40,
    },
    ends=frozenset(),
)


def drawing() -> str:
    return DIAGRAM.draw(arrows())
