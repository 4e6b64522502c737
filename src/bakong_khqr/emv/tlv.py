"""Text to data objects and back. A data object is two digits of ID, two of length, and that many characters of value.

`split` reads one level without judging; `parse`, `build` and `to_dict` are made of it and refuse what is malformed: a
length that isn't two digits or runs past the end, an ID twice at one level, more than 512 characters.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from attrs import field, frozen

from bakong_khqr.emv.characters import character_fault, exact, refused_character
from bakong_khqr.emv.tags import NESTS_ALWAYS, NESTS_IN_ADDITIONAL_DATA, NESTS_WHERE_IT_CAN, Path
from bakong_khqr.errors import ErrorCode, InvalidKHQR, shown

MOST_CHARACTERS = 512
"""A payload's most characters: EMVCo QRCPS-MPM 1.1, 3.2. A symbol that holds more isn't read by phones."""

TWO_DIGITS = tuple(f"{number:02}" for number in range(100))
"""`TWO_DIGITS[7]` is `"07"`: an ID or a length as a payload writes it."""

_DEEPEST = 3  # 62, its 50 to 99, and what those hold: EMVCo QRCPS-MPM 1.1, 3.3

_NUMBERS = {digits: number for number, digits in enumerate(TWO_DIGITS)}

DataObjectDict: TypeAlias = "dict[str, str | DataObjectDict]"


def _text(value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a data object's ID and value are str, not {type(value).__name__}")
    return exact(value)


def _data_objects(given: Iterable["DataObject"]) -> tuple["DataObject", ...]:
    return tuple(map(_data_object, given))


def _data_object(given: object) -> "DataObject":
    if not isinstance(given, DataObject):
        raise TypeError(f"expected a DataObject, got {type(given).__name__} {shown(given)}")
    return given


@frozen
class DataObject:
    """One (ID, length, value) triple of a payload.

    A template also has the `data_objects` that its value spells out: make one with `DataObject.template("62", [...])`.
    `offset` plays no part in comparisons.
    """

    id: str = field(converter=_text)
    """Two digits: `"59"`."""
    value: str = field(converter=_text)
    """The whole text of the value, of a template too."""
    data_objects: "tuple[DataObject, ...]" = field(default=(), converter=_data_objects)
    """The data objects that a template holds; empty for any other."""
    offset: int = field(default=0, eq=False, kw_only=True)
    """Where the ID stands in the payload, in characters."""

    @classmethod
    def template(cls, id: str, data_objects: Iterable["DataObject"]) -> "DataObject":  # noqa: A002 - the standard's word
        """Return a data object that holds others. Their offsets are as before: `parse` the built text for new ones."""
        inner = _data_objects(data_objects)
        return cls(id, _written(inner, (id,)), inner)


class _Heads(dict[str, tuple[str, int] | None]):
    """The ID and the length that four digits say. What was met is kept: at most all 10,000."""

    def __missing__(self, head: str) -> tuple[str, int] | None:
        identifier, length = head[:2], _NUMBERS.get(head[2:])
        if length is None or identifier not in _NUMBERS:
            return None
        self[head] = found = (identifier, length)
        return found


_HEADS = _Heads()


def split(text: str) -> tuple[list[tuple[str, str]], int]:
    """Return the (ID, value) pairs of one level, and where reading stopped: `len(text)` when all was read."""
    pairs = []
    position, end = 0, len(text)
    while position < end:
        start = position + 4
        head = _HEADS[text[position:start]]
        if head is None:
            break
        identifier, length = head
        stop = start + length
        if stop > end:
            break
        pairs.append((identifier, text[start:stop]))
        position = stop
    return pairs, position


def parse(payload: str) -> tuple[DataObject, ...]:
    """Return the data objects of any EMVCo merchant-presented payload, templates with theirs. Its CRC isn't checked.

    29, 30, 62, 64 and 99 must nest; 26 to 51, 80 to 98 and 62.50 to 62.99 nest if their text can be read so, and are
    text if not (EMVCo QRCPS-MPM 1.1, 3.3). Raises `InvalidKHQR` with the offset of the fault, `TypeError` for anything
    but text.
    """
    check_text(payload)
    if (at := refused_character(payload)) is not None:
        raise character_fault(payload, at, offset=at)
    return _parse_level(payload, 0, ())


def build(data_objects: Iterable[DataObject]) -> str:
    """Return the text of `data_objects`, in their order; `build(parse(payload)) == payload`.

    No CRC is added: end with `text += "6304"; text += crc16(text)`. Raises `InvalidKHQR` for an ID that isn't two
    digits or comes twice, a value over 99 characters, a text over 512, and nesting that the standard doesn't know;
    `TypeError` for anything but data objects.
    """
    text = _written(_data_objects(data_objects), ())
    if (at := refused_character(text)) is not None:
        raise character_fault(text, at, offset=at)
    check_text(text)
    return text


def to_dict(data_objects: Iterable[DataObject]) -> DataObjectDict:
    """Return values by ID, in order; a template is a dictionary in turn: `{"00": "01", "62": {"01": "INV-1"}}`.

    Raises `InvalidKHQR` for nesting deeper than the standard's, `TypeError` for anything but data objects.
    """
    return _level_dict(_data_objects(data_objects), 1)


def _level_dict(data_objects: tuple[DataObject, ...], level: int) -> DataObjectDict:
    if level > _DEEPEST:
        message = f"data objects nest more than {_DEEPEST} deep: by the standard 62, its 50 to 99, and what those hold"
        raise InvalidKHQR(ErrorCode.NESTING_TOO_DEEP, message)
    return {one.id: _level_dict(one.data_objects, level + 1) if one.data_objects else one.value for one in data_objects}


def check_text(payload: str) -> None:
    """Raise `TypeError` unless `payload` is text, and `InvalidKHQR` when it is longer than a payload may be."""
    if not isinstance(payload, str):
        raise TypeError(f"a payload is a str, not {type(payload).__name__}")
    if len(payload) > MOST_CHARACTERS:
        raise InvalidKHQR(
            ErrorCode.PAYLOAD_LENGTH_INVALID,
            f"the payload has {len(payload)} characters; it may have at most {MOST_CHARACTERS}",
            offset=MOST_CHARACTERS,
            length=len(payload),
            limit=MOST_CHARACTERS,
        )


def level_faults(text: str, base: int, path: Path) -> Iterator[InvalidKHQR]:
    """Yield what is malformed in one level: IDs that come twice, then the place where reading stopped.

    `base` is the level's own offset in the payload, `path` the IDs of the templates around it.
    """
    pairs, stop = split(text)
    seen = set()
    offset = base
    for identifier, value in pairs:
        if identifier in seen:
            name = ".".join((*path, identifier))
            message = f"data object {name} comes twice, again at offset {offset}; readers disagree on which one counts"
            yield InvalidKHQR(ErrorCode.REPEATED_DATA_OBJECT, message, offset=offset)
        seen.add(identifier)
        offset += 4 + len(value)
    if stop < len(text):
        yield _malformed(text, stop, base, path)


def _malformed(text: str, stop: int, base: int, path: Path) -> InvalidKHQR:
    """Return why reading stopped: too little is left, or the ID or the length isn't digits, or there are too few."""
    at = base + stop
    within = f" in template {'.'.join(path)}" if path else ""
    identifier, length, left = text[stop : stop + 2], text[stop + 2 : stop + 4], len(text) - stop - 4
    if left < 0:
        fault = f"{text[stop:]!r} is too short for a data object: two digits of ID and two of length"
    elif identifier not in _NUMBERS:
        fault = f"{identifier!r} isn't a valid ID: an ID is two digits"
    elif length not in _NUMBERS:
        at += 2
        fault = f"{length!r} isn't a valid length of data object {identifier}: a length is two digits"
    else:
        at += 2
        fault = f"data object {identifier} says {length} characters but {left} are left"
        return InvalidKHQR(
            ErrorCode.MALFORMED_TLV, f"at offset {at}{within}: {fault}", offset=at, length=_NUMBERS[length], limit=left
        )
    return InvalidKHQR(ErrorCode.MALFORMED_TLV, f"at offset {at}{within}: {fault}", offset=at)


def _parse_level(text: str, base: int, path: Path) -> tuple[DataObject, ...]:
    for fault in level_faults(text, base, path):
        raise fault
    data_objects = []
    offset = base
    for identifier, value in split(text)[0]:
        inner = _parse_template(value, offset + 4, (*path, identifier))
        data_objects.append(DataObject(identifier, value, inner, offset=offset))
        offset += 4 + len(value)
    return tuple(data_objects)


def _parse_template(value: str, base: int, path: Path) -> tuple[DataObject, ...]:
    if len(path) == 1 and path[0] in NESTS_ALWAYS:
        return _parse_level(value, base, path)
    if not may_nest(path) or any(level_faults(value, base, path)):
        return ()
    return _parse_level(value, base, path)


def may_nest(path: Path) -> bool:
    """Say whether the data object at `path` is a template by the standard: nothing nests below 62.50 to 62.99."""
    if len(path) == 1:
        return path[0] in NESTS_ALWAYS or path[0] in NESTS_WHERE_IT_CAN
    return len(path) == 2 and path[0] == "62" and path[1] in NESTS_IN_ADDITIONAL_DATA


def _written(data_objects: Sequence[DataObject], path: Path) -> str:
    """Return the text of one level, after checking that it can be read back."""
    for one in data_objects:
        if len(one.id) != 2 or one.id not in _NUMBERS:
            message = f"{shown(one.id)} isn't a valid ID: an ID is two digits"
            raise InvalidKHQR(ErrorCode.MALFORMED_TLV, message, length=len(one.id), limit=2)
    ordered = sorted(one.id for one in data_objects)
    for first, second in pairwise(ordered):
        if first == second:
            name = ".".join((*path, first))
            raise InvalidKHQR(ErrorCode.REPEATED_DATA_OBJECT, f"data object {name} is given twice")
    return "".join(_data_object_text(one, path) for one in data_objects)


def _data_object_text(one: DataObject, path: Path) -> str:
    here = (*path, one.id)
    name = ".".join(here)
    if one.data_objects and not may_nest(here):
        raise InvalidKHQR(
            ErrorCode.NESTING_TOO_DEEP, f"data object {name} holds others; by the standard it isn't a template"
        )
    if one.data_objects and one.value != _written(one.data_objects, here):
        message = f"template {name}: its value and its data objects differ; make it with DataObject.template"
        raise InvalidKHQR(ErrorCode.MALFORMED_TLV, message)
    length = len(one.value)
    if length > 99:
        code = ErrorCode.TEMPLATE_LENGTH_INVALID if one.data_objects else ErrorCode.MALFORMED_TLV
        kind = "template" if one.data_objects else "data object"
        message = f"{kind} {name} has {length} characters; a length is two digits, so it may have at most 99"
        raise InvalidKHQR(code, message, length=length, limit=99)
    return f"{one.id}{TWO_DIGITS[length]}{one.value}"
