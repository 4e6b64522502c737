"""What every answer may be besides: a list, or a problem (RFC 9457)."""

# ruff: noqa: E501 - a table: one member a line

from typing import Annotated, Any, Literal, Self

from attrs import field, frozen
from msgspec import UNSET, UnsetType

from bakong_service.domain.errors import Fault
from bakong_service.resources.members import Moment, one_of, says
from bakong_service.resources.problem_codes import PROBLEM_CODES


@frozen(kw_only=True, slots=False)
class Listing:
    """A page of a list."""

    object: Literal["list"] = "list"
    data: list[Any] = field(metadata=says("The items of this page."))
    has_more: bool = field(metadata=says("Whether the list goes on in this direction."))
    next_cursor: str | None = field(metadata=says("The place of the last item: ask with it as `starting_after` for the items behind it. It is null where there is none."))  # fmt: skip
    previous_cursor: str | None = field(metadata=says("The place of the first item: ask with it as `ending_before` for the items before it. It is null where there is none."))  # fmt: skip

    @classmethod
    def whole(cls, items: list[Any]) -> Self:
        """Return a list that is shown on one page."""
        return cls(data=items, has_more=False, next_cursor=None, previous_cursor=None)


@frozen(kw_only=True, slots=False)
class ProblemFault:
    """One thing that is wrong with a request, and where."""

    pointer: str = field(metadata=says("Where: a JSON pointer into the body (`/amount`), `?limit` for a parameter, or a header's name."))  # fmt: skip
    code: str = field(metadata=says("A stable word for what is wrong. Programs build on it."))
    message: str = field(metadata=says("The rule, for people."))

    @classmethod
    def of(cls, fault: Fault) -> Self:
        """Return one thing that is wrong with a request."""
        return cls(pointer=fault.pointer, code=fault.code, message=fault.message)


@frozen(kw_only=True, slots=False)
class ProblemDocument:
    """Why a request was refused, or why it failed (RFC 9457)."""

    type: str = field(metadata=says("Where the problem is documented."))
    title: str = field(metadata=says("The status in words."))
    status: int = field(metadata=says("The HTTP status."))
    detail: str = field(metadata=says("What is wrong, for people."))
    code: Annotated[str, one_of(*PROBLEM_CODES)] = field(metadata=says("A stable word for what is wrong. Programs build on it."))  # fmt: skip
    request_id: str = field(metadata=says("The id of the request. The log of the service has it."))
    timestamp: Moment = field(metadata=says("When it happened."))
    retryable: bool = field(metadata=says("Whether the same request may succeed later."))
    errors: list[ProblemFault] = field(metadata=says("Everything that is wrong with the request, place by place."))
    next_cursor: str | UnsetType | None = field(default=UNSET, metadata=says("Where a reader of the feed goes on; only with the code `feed_restored`."))  # fmt: skip
