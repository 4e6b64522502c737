"""What is counted: a request against a rate, and the requests of a window."""

import limits
from attrs import frozen


@frozen
class Ask:
    """One request to count: its rate, the name under which it is counted, and whether it is counted strictly."""

    rate: limits.RateLimitItem
    window: int  # seconds
    name: str
    strict: bool


@frozen
class Counter:
    """The requests of the window `index`, and of the window before it."""

    index: int = 0
    count: int = 0
    before: int = 0

    def at(self, index: int) -> "Counter":
        """Return the counter in a later window."""
        if index == self.index:
            return self
        return Counter(index, 0, self.count if index == self.index + 1 else 0)


UNUSED = Counter()
