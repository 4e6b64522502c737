"""A payload taken apart: its values by ID, and what is wrong with it as a text, before any field is looked at.

A good payload is read without any bookkeeping; if something is wrong, its place is looked up afterwards.
"""

import re
from decimal import Decimal

from attrs import define, field

from bakong_khqr.emv.characters import character_fault, exact, refused_character
from bakong_khqr.emv.crc import crc16
from bakong_khqr.emv.tags import Path
from bakong_khqr.emv.tlv import check_text, level_faults, may_nest, split
from bakong_khqr.errors import ErrorCode, InvalidKHQR
from bakong_khqr.money import Currency
from bakong_khqr.payload._account import INDIVIDUAL, MERCHANT
from bakong_khqr.payload._additional_data import ADDITIONAL_DATA, LANGUAGE
from bakong_khqr.payload._fields import DYNAMIC, MERCHANT_CATEGORY_CODE, MERCHANT_CITY, MERCHANT_NAME, UNION_PAY

MOST_READ = 1_024
"""A text's most characters that are looked at: twice a payload's, so that one that grew too long is explained whole."""

_CHECKSUM = re.compile("[0-9A-Fa-f]{4}")
_TEMPLATES = (INDIVIDUAL, MERCHANT, ADDITIONAL_DATA, LANGUAGE)
_NAMES: dict[Path, str] = (
    {("00",): "payload_format_indicator", ("01",): "point_of_initiation_method", ("53",): "currency", ("54",): "amount"}
    | {("58",): "country_code", ("63",): "crc", ("99",): "timestamp"}
    | {("99", "00"): "created_at", ("99", "01"): "expires_at"}
    | {one.path: one.name for one in (UNION_PAY, MERCHANT_CATEGORY_CODE, MERCHANT_NAME, MERCHANT_CITY)}
    | {(template.id,): template.name for template in _TEMPLATES}
    | {one.path: one.name for template in _TEMPLATES for one in template.fields}
)
"""The public names of the fields and templates by their place."""


@define
class Reading:
    """What a payload holds and what is wrong with it. Values by ID; a template's members by its ID and theirs."""

    payload: str
    problems: list[InvalidKHQR] = field(factory=list)
    objects: dict[str, str] = field(factory=dict)
    members: dict[str, dict[str, str]] = field(factory=dict)
    readable: bool = True
    currency: Currency | None = None
    amount: Decimal | None = None
    created_ms: int | None = None
    expires_ms: int | None = None
    is_dynamic: bool = False
    """Whether the point of initiation method is 12."""

    def offset(self, *path: str) -> int | None:
        """Return where the data object at `path` begins in the payload, `None` if there is none."""
        text, at = self.payload, 0
        for depth, wanted in enumerate(path, start=1):
            for identifier, value in split(text)[0]:
                if identifier == wanted:
                    break
                at += 4 + len(value)
            else:
                return None
            if depth < len(path):
                text, at = value, at + 4
        return at

    def path_at(self, offset: int) -> Path:
        """Return the IDs of the data objects that the character at `offset` is in, from the top down; `()` for none."""
        text, at = self.payload, 0
        path: Path = ()
        while True:
            for identifier, value in split(text)[0]:  # noqa: B007 - used below, after the break
                if at <= offset < at + 4 + len(value):
                    break
                at += 4 + len(value)
            else:
                return path
            path = (*path, identifier)
            if offset < at + 4 or not may_nest(path):
                return path
            text, at = value, at + 4


def read(payload: str) -> Reading:
    """Take `payload` apart, and find what is wrong with its length, checksum, characters and nesting.

    Raises `TypeError` for anything but text, and nothing else.
    """
    payload = exact(payload)
    reading = Reading(payload)
    problems = reading.problems
    try:
        check_text(payload)
    except InvalidKHQR as too_long:
        problems.append(too_long)
        if len(payload) > MOST_READ:
            return reading
    pairs, stop = split(payload)
    reading.objects = objects = dict(pairs)
    reading.is_dynamic = objects.get("01") == DYNAMIC
    reading.readable = stop == len(payload)
    refused_at = refused_character(payload)
    last = pairs[-1][0] if pairs else ""
    if (fault := _checksum_fault(reading, last, refused_at)) is not None:
        problems.append(fault)
    if refused_at is not None:
        name = _NAMES.get(reading.path_at(refused_at))
        problems.append(character_fault(payload, refused_at, field=name, offset=refused_at))
    if not reading.readable or len(objects) != len(pairs):
        _add_level_faults(reading, payload, 0, ())
    if "63" in objects and last != "63":
        at = reading.offset("63")
        message = f"the CRC (data object 63) stands at offset {at}; it must be the last data object"
        problems.append(InvalidKHQR(ErrorCode.CRC_NOT_LAST, message, field="crc", offset=at))
    for identifier in ("29", "30", "62", "64", "99"):
        if identifier in objects:
            reading.members[identifier] = _read_template(reading, identifier, objects[identifier])
    return reading


def _checksum_fault(reading: Reading, last: str, refused_at: int | None) -> InvalidKHQR | None:
    """Return what is wrong with the CRC; `last` is the ID of the last data object that could be read."""
    payload = reading.payload
    if reading.readable and last == "63":
        crc = reading.objects["63"]
    elif not reading.readable and payload[-8:-4] == "6304":
        crc = payload[-4:]
    else:
        message = "the payload must end in its CRC: 6304 and four hexadecimal digits"
        return InvalidKHQR(ErrorCode.CRC_TAG_REQUIRED, message, field="crc")
    right = None if refused_at is not None else crc16(payload[:-4])
    if crc == right:
        return None
    offset = len(payload) - 4 - len(crc)
    if _CHECKSUM.fullmatch(crc) is None:
        message = f"the CRC {crc!r} must be four hexadecimal digits"
        return InvalidKHQR(ErrorCode.CRC_LENGTH_INVALID, message, field="crc", offset=offset, length=len(crc), limit=4)
    if right is not None and right != crc.upper():
        message = f"the CRC is {crc}, but the text before it gives {right}: the payload was changed or cut"
        return InvalidKHQR(ErrorCode.KHQR_INVALID, message, field="crc", offset=offset)
    return None


def _read_template(reading: Reading, identifier: str, value: str) -> dict[str, str]:
    pairs, stop = split(value)
    members = dict(pairs)
    if stop != len(value) or len(members) != len(pairs):
        at = reading.offset(identifier)
        assert at is not None
        _add_level_faults(reading, value, at + 4, (identifier,))
    return members


def _add_level_faults(reading: Reading, text: str, base: int, path: Path) -> None:
    """Add what is malformed in one level, each with the name of the field or template that it is in."""
    for fault in level_faults(text, base, path):
        assert fault.offset is not None
        at = fault.offset - base
        repeated = fault.code is ErrorCode.REPEATED_DATA_OBJECT  # any other is of the level, where reading stopped
        fault.field = _NAMES.get((*path, text[at : at + 2]) if repeated else path)
        reading.problems.append(fault)
