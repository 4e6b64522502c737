"""An inspection as the table that a person reads: a line for each data object, the problems below their places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bakong_khqr.diagnosis._abroad import is_fault_anywhere
from bakong_khqr.diagnosis._advice import ADVICE
from bakong_khqr.emv.characters import printable
from bakong_khqr.errors import InvalidKHQR

if TYPE_CHECKING:
    from bakong_khqr.diagnosis._inspection import InspectedObject, Inspection


def table(inspection: Inspection) -> str:
    """Return the lines of an inspection: the verdict, the data objects, the problems that have no place, the notices.

    KHQR's own rules, and what to change for them, aren't shown for another country's code.
    """
    return "\n".join(_lines(inspection))


def _lines(inspection: Inspection) -> Iterator[str]:
    shown = tuple(one for one in inspection.problems if not inspection.is_abroad or is_fault_anywhere(one.code))
    if inspection.not_khqr:
        yield inspection.not_khqr
    if not inspection.is_abroad:
        count = len(shown)
        yield "A valid KHQR." if not count else f"Not a valid KHQR: {count} problem{'s' if count > 1 else ''}."
    yield ""
    if inspection.data_objects:
        yield f"{'offset':>6}  {'ID':<10} {'length':>6}  {'name':<40} value"
        yield from _rows(inspection.data_objects, 0, shown)
        yield ""
    for problem in shown:
        if problem.offset is None or not inspection.data_objects:
            yield from _problem_lines(problem, "")
    for notice in inspection.notices:
        place = "" if notice.offset is None else f" (offset {notice.offset})"
        yield f"note: {notice.message}{place} [{notice.source}]"
        yield f"      {notice.change}"


def _rows(data_objects: tuple[InspectedObject, ...], depth: int, shown: tuple[InvalidKHQR, ...]) -> Iterator[str]:
    for one in data_objects:
        value = "" if one.data_objects else printable(one.value)
        explained = f"  ({one.meaning})" if one.meaning else ""
        indented = "  " * depth + one.id
        yield f"{one.offset:>6}  {indented:<10} {one.length:>6}  {one.name:<40} {value}{explained}".rstrip()
        for problem in one.problems:
            if problem in shown:
                yield from _problem_lines(problem, " " * 8)
        yield from _rows(one.data_objects, depth + 1, shown)


def _problem_lines(problem: InvalidKHQR, indent: str) -> Iterator[str]:
    advice = ADVICE[problem.code]
    yield f"{indent}wrong: {problem} [{advice.source}, code {int(problem.code)}]"
    yield f"{indent}       {advice.change}"
