"""One line of the table of ratios: what we do, beside something that does as little as can be."""

from attrs import frozen


@frozen(kw_only=True)
class Row:
    """Two figures of one run. `ours` and `theirs` are in the same unit."""

    what: str
    beside: str
    unit: str  # "a second": more is better; "ms" and "us of CPU": less is better
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Return our speed as a part of theirs: 1 is as fast, 0.5 takes twice as long."""
        return self.ours / self.theirs if self.unit == "a second" else self.theirs / self.ours
