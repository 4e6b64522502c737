"""What can go wrong between a client and Bakong, how often, and for which endpoint.

`FaultPlan` has the faults that wait for a call. `Fault.answer` replaces the answer of a call, and `Fault.spoil` changes
the right answer.
"""

from enum import StrEnum
from typing import Any, Final

import attrs

from bakong_khqr.testing import answers
from bakong_khqr.testing.exchange import SimulatorResponse, read_json, write_json


class FaultKind(StrEnum):
    """The kinds of faults."""

    BLOCKED = "blocked"
    """CloudFront's page with HTTP 403."""
    RATE_LIMITED = "rate_limited"
    """HTTP 429, with the header `Retry-After` if `retry_after_seconds` is set."""
    SERVER_ERROR = "server_error"
    """The HTTP status `status` (503) with nginx's page, or without a body if `empty`."""
    ERROR_CODE = "error_code"
    """HTTP 200 and an envelope with `error_code` (15) and `message`."""
    UNAUTHORIZED = "unauthorized"
    """HTTP 401, although the token is good; a page instead of JSON if `html`."""
    SLOW = "slow"
    """The right answer, `seconds` (60) late."""
    DROPPED = "dropped"
    """The connection ends without an answer."""
    GARBAGE = "garbage"
    """HTTP 200 with a body that isn't JSON."""
    TRUNCATED = "truncated"
    """The right answer, cut in the middle."""
    OVERSIZE = "oversize"
    """The right answer with spaces behind it, `size_bytes` (8 MiB) in all."""
    ANSWER = "answer"
    """Exactly `status` and `body`."""
    REORDERED_LIST = "reordered_list"
    """A list answer in reverse order."""
    SHORT_LIST = "short_list"
    """A list answer without its first item."""


SPOILERS: Final = frozenset(
    {FaultKind.SLOW, FaultKind.TRUNCATED, FaultKind.OVERSIZE, FaultKind.REORDERED_LIST, FaultKind.SHORT_LIST}
)
"""Kinds that let the call through and change its answer."""


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that goes wrong. A kind ignores the members that it doesn't need."""

    kind: FaultKind = attrs.field(converter=FaultKind)
    """What goes wrong."""
    times: int | None = 1
    """How many calls it concerns; `None` for every call until it is cleared."""
    skip: int = 0
    """How many calls pass before it begins."""
    endpoint: str | None = None
    """The last part of a path: `"check_transaction_by_md5"`. `None` for every endpoint."""
    takes_effect: bool = False
    """Whether the call does its work although its answer is lost: a token is renewed, for example."""
    status: int = 503
    """The HTTP status of `SERVER_ERROR` and `ANSWER`."""
    empty: bool = False
    """Whether `SERVER_ERROR` has no body."""
    html: bool = False
    """Whether `UNAUTHORIZED` is a page instead of JSON."""
    error_code: int = answers.UNSTABLE
    """The error code of `ERROR_CODE`."""
    message: str | None = None
    """The message of `ERROR_CODE`; Bakong's message by default."""
    retry_after_seconds: int | None = None
    """The header `Retry-After` of `RATE_LIMITED`; `None` for none."""
    seconds: float = 60.0
    """How late the answer of `SLOW` is, 0 to 3600."""
    size_bytes: int = 8 * 1024 * 1024
    """The size of the answer of `OVERSIZE`."""
    body: str = attrs.field(default="<html>This is not JSON", repr=False)
    """The body of `GARBAGE` and `ANSWER`."""
    content_type: str = "text/html"
    """The media type of that body."""

    def __attrs_post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ValueError(f"times: {self.times} isn't a number from 1 on, or null for every call")
        if self.skip < 0:
            raise ValueError(f"skip: {self.skip} isn't a number from 0 on")
        if not 200 <= self.status <= 599:
            raise ValueError(f"status: {self.status} isn't an HTTP status from 200 to 599")
        if not self.content_type.isascii() or not self.content_type.isprintable():
            raise ValueError(f"content_type: {self.content_type!r} isn't printable ASCII")
        if not 0 <= self.seconds <= 3600:
            raise ValueError(f"seconds: {self.seconds} isn't a number from 0 to 3600")
        if not 0 <= self.size_bytes <= 256 * 1024 * 1024:
            raise ValueError(f"size_bytes: {self.size_bytes} isn't a number from 0 to 268435456 (256 MiB)")

    @property
    def lets_through(self) -> bool:
        """Whether the call reaches the service, so that it has its effect and costs quota."""
        return self.takes_effect or self.kind in SPOILERS

    def answer(self) -> SimulatorResponse:
        """Return the answer that replaces the right one."""
        match self.kind:
            case FaultKind.BLOCKED:
                return answers.cloudfront_block()
            case FaultKind.RATE_LIMITED:
                if self.retry_after_seconds is None:
                    return answers.nginx(429)
                return answers.nginx(429, retry_after=str(self.retry_after_seconds))
            case FaultKind.SERVER_ERROR:
                return SimulatorResponse(status=self.status) if self.empty else answers.nginx(self.status)
            case FaultKind.ERROR_CODE:
                return answers.failure(self.error_code, self.message)
            case FaultKind.UNAUTHORIZED:
                return answers.nginx(401) if self.html else answers.failure(answers.UNAUTHORIZED, status=401)
            case FaultKind.DROPPED:
                return SimulatorResponse(status=200, dropped=True)
            case FaultKind.GARBAGE:
                return SimulatorResponse(
                    status=200, body=self.body.encode(errors="replace"), content_type=self.content_type
                )
            case _:
                return SimulatorResponse(
                    status=self.status, body=self.body.encode(errors="replace"), content_type=self.content_type
                )

    def spoil(self, response: SimulatorResponse) -> SimulatorResponse:
        """Return the right answer with the change of this fault."""
        match self.kind:
            case FaultKind.SLOW:
                return attrs.evolve(response, delay_seconds=self.seconds)
            case FaultKind.TRUNCATED:
                return attrs.evolve(response, body=response.body[: len(response.body) // 2])
            case FaultKind.OVERSIZE:
                return attrs.evolve(response, body=response.body.ljust(self.size_bytes))
            case FaultKind.REORDERED_LIST | FaultKind.SHORT_LIST:
                return self._change_list(response)
            case _:
                return self.answer()

    def _change_list(self, response: SimulatorResponse) -> SimulatorResponse:
        envelope: Any = read_json(response.body) if response.content_type == "application/json" else None
        if not isinstance(envelope, dict) or not isinstance(items := envelope.get("data"), list):
            return response
        envelope["data"] = items[::-1] if self.kind is FaultKind.REORDERED_LIST else items[1:]
        return attrs.evolve(response, body=write_json(envelope).encode(errors="backslashreplace"))


class FaultPlan:
    """The faults that wait for calls, in the order in which they were added. A call gets the first that fits."""

    def __init__(self) -> None:
        self._waiting: list[
            tuple[Fault, list[int]]
        ] = []  # each with the calls that it still skips, and those that it still concerns

    def add(self, fault: Fault) -> None:
        """Add a fault behind the others."""
        self._waiting.append((fault, [fault.skip, -1 if fault.times is None else fault.times]))

    def clear(self) -> None:
        """Remove every fault."""
        self._waiting.clear()

    def waiting(self) -> list[tuple[Fault, int | None]]:
        """Return each fault with the number of calls that it still concerns; `None` for every call."""
        return [(fault, None if left < 0 else left) for fault, (_, left) in self._waiting]

    def take(self, endpoint: str) -> Fault | None:
        """Return the fault for this call; `None` if there is none."""
        if not self._waiting:
            return None
        for place, (fault, counts) in enumerate(self._waiting):
            if fault.endpoint not in (None, endpoint):
                continue
            if counts[0] > 0:
                counts[0] -= 1
                continue
            if counts[1] > 0:
                counts[1] -= 1
                if counts[1] == 0:
                    del self._waiting[place]
            return fault
        return None
