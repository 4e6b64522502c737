"""What can go wrong between a client and Bakong, how often, and for which endpoint.

A fault is a value; `FaultPlan` holds those that wait for a call. What each kind does to a call is in `Fault.answer`
(instead of an answer) and `Fault.spoil` (to the answer there would have been).
"""

from enum import StrEnum
from typing import Any, Final

import attrs

from bakong_khqr.testing import answers
from bakong_khqr.testing.exchange import Response, read_json, write_json


class FaultKind(StrEnum):
    """The kinds of fault, by what the client meets."""

    BLOCKED = "blocked"  # CloudFront's 403 page
    RATE_LIMITED = "rate_limited"  # 429, with Retry-After if `retry_after_seconds` is set
    SERVER_ERROR = "server_error"  # `status` (503) with nginx's page, or with no body at all if `empty`
    ERROR_CODE = "error_code"  # HTTP 200 and an envelope with `error_code` (15) and `message`
    UNAUTHORIZED = "unauthorized"  # a 401 although the token is good; as a page instead of JSON if `html`
    SLOW = "slow"  # the right answer, `seconds` (60) late
    DROPPED = "dropped"  # the connection ends without an answer
    GARBAGE = "garbage"  # HTTP 200 that isn't JSON
    TRUNCATED = "truncated"  # the right answer, cut in the middle
    OVERSIZE = "oversize"  # the right answer followed by blanks, `size_bytes` (8 MiB) in all
    ANSWER = "answer"  # exactly `status` and `body`
    REORDERED_LIST = "reordered_list"  # a list answer back to front
    SHORT_LIST = "short_list"  # a list answer without its first item


SPOILERS: Final = frozenset(
    {FaultKind.SLOW, FaultKind.TRUNCATED, FaultKind.OVERSIZE, FaultKind.REORDERED_LIST, FaultKind.SHORT_LIST}
)
"""Kinds that let the call through and change its answer."""


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that goes wrong. Members that its kind doesn't use are ignored.

    `times`: how many calls it hits, `None` for every call until it is cleared. `skip`: how many calls pass before it
    begins. `endpoint`: the last part of a path, such as `"check_transaction_by_md5"`; `None` for all. `takes_effect`:
    the call does its work although its answer is lost, as when a connection dies after a token was renewed.
    """

    kind: FaultKind = attrs.field(converter=FaultKind)
    times: int | None = 1
    skip: int = 0
    endpoint: str | None = None
    takes_effect: bool = False
    status: int = 503
    empty: bool = False
    html: bool = False
    error_code: int = answers.UNSTABLE
    message: str | None = None
    retry_after_seconds: int | None = None
    seconds: float = 60.0
    size_bytes: int = 8 * 1024 * 1024
    body: str = attrs.field(default="<html>This is not JSON", repr=False)
    content_type: str = "text/html"

    def __attrs_post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ValueError(f"times: {self.times} isn't a number from 1 up, or null for every call")
        if self.skip < 0:
            raise ValueError(f"skip: {self.skip} isn't a number from 0 up")
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
        """Whether the call reaches the service: its effect stays, and it counts against the quota."""
        return self.takes_effect or self.kind in SPOILERS

    def answer(self) -> Response:
        """What the client gets instead of an answer."""
        match self.kind:
            case FaultKind.BLOCKED:
                return answers.cloudfront_block()
            case FaultKind.RATE_LIMITED:
                if self.retry_after_seconds is None:
                    return answers.nginx(429)
                return answers.nginx(429, retry_after=str(self.retry_after_seconds))
            case FaultKind.SERVER_ERROR:
                return Response(status=self.status) if self.empty else answers.nginx(self.status)
            case FaultKind.ERROR_CODE:
                return answers.failure(self.error_code, self.message)
            case FaultKind.UNAUTHORIZED:
                return answers.nginx(401) if self.html else answers.failure(answers.UNAUTHORIZED, status=401)
            case FaultKind.DROPPED:
                return Response(status=200, dropped=True)
            case FaultKind.GARBAGE:
                return Response(status=200, body=self.body.encode(errors="replace"), content_type=self.content_type)
            case _:
                return Response(
                    status=self.status, body=self.body.encode(errors="replace"), content_type=self.content_type
                )

    def spoil(self, response: Response) -> Response:
        """What becomes of the right answer."""
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

    def _change_list(self, response: Response) -> Response:
        envelope: Any = read_json(response.body) if response.content_type == "application/json" else None
        if not isinstance(envelope, dict) or not isinstance(items := envelope.get("data"), list):
            return response
        envelope["data"] = items[::-1] if self.kind is FaultKind.REORDERED_LIST else items[1:]
        return attrs.evolve(response, body=write_json(envelope).encode(errors="backslashreplace"))


class FaultPlan:
    """The faults that wait for calls, in the order they were added. The first that fits a call hits it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Fault, list[int]]] = []  # each with how many calls it has yet to skip, and to hit

    def add(self, fault: Fault) -> None:
        """Put a fault behind those that wait."""
        self._waiting.append((fault, [fault.skip, -1 if fault.times is None else fault.times]))

    def clear(self) -> None:
        """From now on nothing goes wrong."""
        self._waiting.clear()

    def waiting(self) -> list[tuple[Fault, int | None]]:
        """Each fault with how many calls it will yet hit; `None` for every call."""
        return [(fault, None if left < 0 else left) for fault, (_, left) in self._waiting]

    def take(self, endpoint: str) -> Fault | None:
        """The fault that hits this call, if one does."""
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
