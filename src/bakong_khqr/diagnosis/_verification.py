"""`verify`: whether a payload is good, by every rule. It never raises on text."""

from collections.abc import Iterator
from datetime import datetime
from time import time_ns
from typing import Any

from attrs import frozen

from bakong_khqr.diagnosis._advice import ADVICE
from bakong_khqr.errors import ErrorCode, InvalidKHQR
from bakong_khqr.payload._decoding import judge
from bakong_khqr.payload._reading import Reading
from bakong_khqr.payload._timestamp import check_aware, to_datetime


@frozen
class Verification:
    """The verdict on a payload: truthy if it has no problems."""

    problems: tuple[InvalidKHQR, ...]
    """Every problem; the one that the official SDK would report comes first."""

    def __bool__(self) -> bool:
        return not self.problems

    @property
    def is_valid(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    @property
    def error_code(self) -> ErrorCode | None:
        """The code of the first problem, `None` when there is none."""
        return self.problems[0].code if self.problems else None


def verify(payload: str, now: datetime | None = None) -> Verification:
    """Check a payload by every rule. `now`, an aware `datetime`, decides about expiry; it is the present by default.

    Never raises on text; `TypeError` for anything else, `ValueError` for a `now` without a time zone.
    """
    return Verification(tuple(problems_of(judge(payload), now)))


def problem_dict(problem: InvalidKHQR) -> dict[str, Any]:
    """Return a problem as JSON can hold it, with whose rule it breaks and what to change."""
    advice = ADVICE[problem.code]
    return {
        "code": int(problem.code),
        "name": problem.code.name,
        "message": str(problem),
        "field": problem.field,
        "offset": problem.offset,
        "length": problem.length,
        "limit": problem.limit,
        "source": advice.source,
        "change": advice.change,
    }


def problems_of(reading: Reading, now: datetime | None) -> Iterator[InvalidKHQR]:
    """Yield the problems of a payload that was judged, and last that it has expired at `now`."""
    if now is not None:
        check_aware("now", now)
    yield from reading.problems
    if reading.expires_ms is not None and _is_past(reading.expires_ms, now):
        expiry = to_datetime(reading.expires_ms)
        message = f"the code expired at {expiry:%Y-%m-%d %H:%M:%S} UTC"
        offset = reading.offset("99", "01")
        yield InvalidKHQR(ErrorCode.KHQR_EXPIRED, message, field="expires_at", offset=offset)


def _is_past(moment_ms: int, now: datetime | None) -> bool:
    return moment_ms * 1_000_000 < time_ns() if now is None else to_datetime(moment_ms) < now
