"""`inspect` explains a payload: every data object in its place, with its meaning and its problems."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import field, frozen

from bakong_khqr.diagnosis._abroad import description, is_abroad, is_fault_anywhere, not_khqr_templates
from bakong_khqr.diagnosis._meaning import meaning
from bakong_khqr.diagnosis._notices import Notice, notices
from bakong_khqr.diagnosis._table import table
from bakong_khqr.diagnosis._verification import problem_dict, problems_of
from bakong_khqr.emv.tags import NESTS_ALWAYS, Path, describe
from bakong_khqr.emv.tlv import level_faults, may_nest, split
from bakong_khqr.errors import InvalidKHQR
from bakong_khqr.payload._decoding import judge
from bakong_khqr.payload._reading import MOST_READ


@frozen
class InspectedObject:
    """One data object as it stands in the payload, with what it means."""

    id: str
    """Two digits, or `"??"` for the rest of a level that can't be read."""
    name: str
    """EMVCo's or KHQR's name: `"Merchant Name"`."""
    value: str
    """The whole text of the value, or the rest of the level that can't be read."""
    offset: int
    """Where the ID stands in the payload, in characters."""
    meaning: str
    """What the value means, in words: `"riel, KHR"`. Empty if the value speaks for itself."""
    data_objects: "tuple[InspectedObject, ...]" = ()
    """The data objects that a template holds."""
    problems: tuple[InvalidKHQR, ...] = ()
    """The problems at this place."""

    @property
    def length(self) -> int:
        """The value's length in characters."""
        return len(self.value)


@frozen
class Inspection:
    """A payload explained: its data objects, its problems, and what is worth knowing. `str()` is a table.

    For another country's code, `str()` shows only the problems that it would have in every country.
    """

    payload: str = field(repr=False)
    """The text that was explained."""
    data_objects: tuple[InspectedObject, ...]
    """Every data object in its place, and each part that can't be read."""
    problems: tuple[InvalidKHQR, ...]
    """Every problem, as `verify` has them."""
    notices: tuple[Notice, ...]
    """What is worth knowing but isn't a problem."""
    not_khqr: str = ""
    """A sentence that says what the payload is if it is an EMVCo code but not a KHQR; else empty."""
    is_abroad: bool = False
    """Whether it is another country's code."""

    @property
    def is_valid(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "valid": self.is_valid,
            "not_khqr": self.not_khqr,
            "problems": [
                problem_dict(one) | ({"change": None} if self.is_abroad and not is_fault_anywhere(one.code) else {})
                for one in self.problems
            ],
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
        return table(self)


def inspect(payload: str, now: datetime | None = None) -> Inspection:
    """Explain a payload: every data object in its place, and for every problem whose rule it breaks and what to change.

    `now` as in `verify`. Never raises on text.
    """
    reading = judge(payload)
    problems = tuple(problems_of(reading, now))
    others = not_khqr_templates(reading)
    data_objects = _inspected(payload, 0, (), problems, others) if len(payload) <= MOST_READ else ()
    return Inspection(
        payload,
        data_objects,
        problems,
        tuple(notices(reading)),
        not_khqr=description(reading),
        is_abroad=is_abroad(reading),
    )


def _inspected(
    text: str, base: int, path: Path, problems: tuple[InvalidKHQR, ...], others: frozenset[str]
) -> tuple[InspectedObject, ...]:
    """Return one level, the part that can't be read included, so that no character is left out.

    `others` are the templates that aren't KHQR's, and have EMVCo's names.
    """
    found = []
    pairs, stop = split(text)
    offset = base
    for identifier, value in pairs:
        here, end = (*path, identifier), offset + 4 + len(value)
        inner: tuple[InspectedObject, ...] = ()
        must_nest = not path and identifier in NESTS_ALWAYS
        if must_nest or (may_nest(here) and not any(level_faults(value, offset + 4, here))):
            inner = _inspected(value, offset + 4, here, problems, others)
        found.append(
            InspectedObject(
                identifier,
                tag.name if (tag := describe(*here, khqr=here[0] not in others)) else "Unknown",
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
