"""What the service shows of sums over days and months."""

from typing import Annotated, Literal, Self

from attrs import field, frozen

from bakong_service.resources.members import one_of, says, taken
from bakong_service.storage.payments import takings


@frozen(kw_only=True, slots=False)
class TakingsLine:
    """The money of one day or month, in one currency, for one plan. `plan` is null for payments without a plan."""

    period: str = field(metadata=says("The day (`2026-11-01`) or month (`2026-11`) in Phnom Penh."))
    currency: str = field(metadata=says("The currency of the amounts beside it."))
    plan: str | None = field(metadata=says("The plan's code."))
    paid_net: str = field(metadata=says("What came and bought something, without what was refunded of it."))
    refunded: str = field(metadata=says("What was sent back of the money that had come then."))
    credited: str = field(metadata=says("What became users' credit."))
    review: str = field(metadata=says("What waits for a person's decision."))

    @classmethod
    def of(cls, line: takings.Takings) -> Self:
        """Return a line."""
        return taken(cls, line)


@frozen(kw_only=True, slots=False)
class TakingsReport:
    """What the shop took in."""

    object: Literal["takings"] = "takings"
    by: Annotated[str, one_of("day", "month")] = field(metadata=says("Whether a line is a day or a month."))
    data: list[TakingsLine] = field(metadata=says("The lines, oldest first."))
