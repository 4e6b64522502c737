"""`verify` says whether a payload is good, and `inspect` explains it to a person. Neither ever raises on text."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from bakong_khqr.advice import ADVICE
from bakong_khqr.decoding import judge
from bakong_khqr.emv.tags import NESTS_ALWAYS, Path, describe
from bakong_khqr.emv.tlv import level_faults, may_nest, split
from bakong_khqr.errors import ErrorCode, InvalidKHQR
from bakong_khqr.meaning import meaning
from bakong_khqr.notices import Notice, notices
from bakong_khqr.reading import MOST_READ, Reading
from bakong_khqr.timestamp import check_aware, to_datetime


@frozen
class Verification:
    """The verdict on a payload: true when it has no problems.

    `problems` are all that were found, the one that the official SDK would report first; each has `code`, `field`,
    `offset`, `length` and `limit`.
    """

    problems: tuple[InvalidKHQR, ...]

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
    """Check a payload by every rule. `now`, an aware `datetime`, is what expiry is judged by: the present unless given.

    Never raises on text; `TypeError` for anything else, `ValueError` for a `now` without a time zone.
    """
    return Verification(tuple(_problems(judge(payload), now)))


@frozen
class InspectedObject:
    """One data object as it stands in the payload, with what it means.

    `id` is `"??"` and `value` the rest of its level where that can't be read. `problems` are those at this place.
    """

    id: str
    name: str
    value: str
    offset: int
    meaning: str
    data_objects: "tuple[InspectedObject, ...]" = ()
    problems: tuple[InvalidKHQR, ...] = ()

    @property
    def length(self) -> int:
        """The value's length in characters."""
        return len(self.value)


@frozen
class Inspection:
    """A payload explained: its data objects, its problems, and what is worth knowing. `str()` is a table."""

    payload: str = field(repr=False)
    data_objects: tuple[InspectedObject, ...]
    problems: tuple[InvalidKHQR, ...]
    notices: tuple[Notice, ...]

    @property
    def is_valid(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "valid": self.is_valid,
            "problems": [problem_dict(one) for one in self.problems],
            "notices": [
                {
                    "name": one.name,
                    "source": one.source,
                    "message": one.message,
                    "change": one.change,
                    "field": one.field,
                    "offset": one.offset,
                }
                for one in self.notices
            ],
            "data_objects": [_object_dict(one) for one in self.data_objects],
        }

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def inspect(payload: str, now: datetime | None = None) -> Inspection:
    """Explain a payload: every data object in its place, every problem with whose rule it breaks and what to change.

    `now` as in `verify`. Never raises on text.
    """
    reading = judge(payload)
    problems = tuple(_problems(reading, now))
    data_objects = _inspected(payload, 0, (), problems) if len(payload) <= MOST_READ else ()
    return Inspection(payload, data_objects, problems, tuple(notices(reading)))


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


def _problems(reading: Reading, now: datetime | None) -> Iterator[InvalidKHQR]:
    if now is None:
        now = datetime.now(UTC)
    check_aware("now", now)
    yield from reading.problems
    if reading.expires_ms is not None and (expiry := to_datetime(reading.expires_ms)) < now:
        message = f"the code expired at {expiry:%Y-%m-%d %H:%M:%S} UTC"
        offset = reading.offset("99", "01")
        yield InvalidKHQR(ErrorCode.KHQR_EXPIRED, message, field="expires_at", offset=offset)


def _inspected(text: str, base: int, path: Path, problems: tuple[InvalidKHQR, ...]) -> tuple[InspectedObject, ...]:
    """Return one level, the part that can't be read included, so that no character is left out."""
    found = []
    pairs, stop = split(text)
    offset = base
    for identifier, value in pairs:
        here, end = (*path, identifier), offset + 4 + len(value)
        inner: tuple[InspectedObject, ...] = ()
        must_nest = not path and identifier in NESTS_ALWAYS
        if must_nest or (may_nest(here) and not any(level_faults(value, offset + 4, here))):
            inner = _inspected(value, offset + 4, here, problems)
        found.append(
            InspectedObject(
                identifier,
                tag.name if (tag := describe(*here)) else "Unknown",
                value,
                offset,
                meaning(here, value),
                inner,
                _problems_between(problems, offset, end, inner),
            )
        )
        offset = end
    if stop < len(text):
        mine = _problems_between(problems, offset, base + len(text), ())
        found.append(InspectedObject("??", "Unreadable", text[stop:], offset, "", (), mine))
    return tuple(found)


def _problems_between(
    problems: tuple[InvalidKHQR, ...], start: int, end: int, inner: tuple[InspectedObject, ...]
) -> tuple[InvalidKHQR, ...]:
    """Return the problems in this span that no data object inside it has taken."""
    taken = {id(problem) for one in _walk(inner) for problem in one.problems}
    return tuple(
        one for one in problems if one.offset is not None and start <= one.offset < end and id(one) not in taken
    )


def _walk(data_objects: tuple[InspectedObject, ...]) -> Iterator[InspectedObject]:
    for one in data_objects:
        yield one
        yield from _walk(one.data_objects)


def _object_dict(one: InspectedObject) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "offset": one.offset,
        "length": one.length,
        "value": one.value,
        "meaning": one.meaning,
        "data_objects": [_object_dict(inner) for inner in one.data_objects],
        "problems": [int(problem.code) for problem in one.problems],
    }


def _lines(inspection: Inspection) -> Iterator[str]:
    count = len(inspection.problems)
    yield "A valid KHQR." if not count else f"Not a valid KHQR: {count} problem{'s' if count > 1 else ''}."
    yield ""
    if inspection.data_objects:
        yield f"{'offset':>6}  {'ID':<10} {'length':>6}  {'name':<40} value"
        yield from _rows(inspection.data_objects, 0)
        yield ""
    for problem in inspection.problems:
        if problem.offset is None or not inspection.data_objects:
            yield from _problem_lines(problem, "")
    for notice in inspection.notices:
        place = "" if notice.offset is None else f" (offset {notice.offset})"
        yield f"note: {notice.message}{place} [{notice.source}]"
        yield f"      {notice.change}"


def _rows(data_objects: tuple[InspectedObject, ...], depth: int) -> Iterator[str]:
    for one in data_objects:
        value = "" if one.data_objects else printable(one.value)
        explained = f"  ({one.meaning})" if one.meaning else ""
        indented = "  " * depth + one.id
        yield f"{one.offset:>6}  {indented:<10} {one.length:>6}  {one.name:<40} {value}{explained}".rstrip()
        for problem in one.problems:
            yield from _problem_lines(problem, " " * 8)
        yield from _rows(one.data_objects, depth + 1)


def _problem_lines(problem: InvalidKHQR, indent: str) -> Iterator[str]:
    advice = ADVICE[problem.code]
    yield f"{indent}wrong: {problem} [{advice.source}, code {int(problem.code)}]"
    yield f"{indent}       {advice.change}"


def printable(text: str) -> str:
    """Return `text` with what has no look of its own spelled out, so that a payload can't write to a terminal."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)
