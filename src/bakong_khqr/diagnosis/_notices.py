"""What is worth knowing about a payload without being a fault: habits of banks, and details of the standard."""

import re
from collections.abc import Iterator
from itertools import pairwise

from attrs import frozen

from bakong_khqr.diagnosis._abroad import is_abroad, not_khqr_templates
from bakong_khqr.diagnosis._advice import Source
from bakong_khqr.emv.characters import printable, refused_character
from bakong_khqr.emv.tags import Path
from bakong_khqr.emv.tlv import split
from bakong_khqr.payload._alphabet import Alphabet, character_name, refused_places
from bakong_khqr.payload._copying import slips
from bakong_khqr.payload._fields import TEXT_FIELDS
from bakong_khqr.payload._reading import Reading

_OTHER_ACCOUNTS = frozenset(f"{number:02}" for number in range(2, 52)) - {"15", "16", "29", "30"}  # 15 and 16: UnionPay
_ASCII_ONLY = {"59": "merchant_name", "60": "merchant_city"}
_TEXT_FIELDS = {one.path: one for one in TEXT_FIELDS}
_SECONDS = re.compile("[0-9]{10}")


@frozen
class Notice:
    """Something that is worth knowing about a payload, but isn't a problem."""

    name: str
    """Its name, which stays the same between releases: `"no_bill_number"`."""
    source: Source
    """Who has this rule or habit."""
    message: str
    """What there is to know, in a sentence."""
    change: str
    """What to change if you don't want it."""
    field: str | None = None
    """The public name of the field, if there is one."""
    offset: int | None = None
    """The place in the payload in characters, if there is one."""


def notices(reading: Reading) -> Iterator[Notice]:
    """Yield what is worth knowing about the payload of `reading`: what happened to it on its way, and its habits."""
    if reading.problems:
        yield from (Notice(one.name, Source.COPYING, one.message, one.change) for one in slips(reading.payload))
    if not reading.objects:
        return
    if not is_abroad(reading):
        yield from _order(reading)
        yield from _rails(reading)
        yield from _tracking(reading)
        yield from _times(reading)
    yield from _letter_of_the_standard(reading)
    yield from _characters(reading)


def _order(reading: Reading) -> Iterator[Notice]:
    ids = [identifier for identifier, _ in split(reading.payload)[0] if identifier != "63"]
    for before, after in pairwise(ids):
        if after < before:
            message = f"data object {after} comes after {before}; the official SDK writes them in order, 63 last"
            change = f"Move {after} before {before}, 00 first and the others by their IDs, and compute the CRC again."
            source = Source.EMVCO if after == "00" else Source.OFFICIAL_SDK
            yield Notice("tag_order", source, message, change, offset=reading.offset(after))
            return


def _rails(reading: Reading) -> Iterator[Notice]:
    for identifier in reading.objects:
        if identifier in _OTHER_ACCOUNTS:
            whose = _identifier_of(reading.objects[identifier])
            message = (
                f"data object {identifier}{whose} belongs to a bank or to another scheme, not to Bakong (ABA has its "
                "own in 40): an app that pays there pays outside Bakong, and Bakong then never sees the payment"
            )
            change = f"Leave {identifier} out: make the code from the Bakong account ID, not from a copy of a bank's."
            yield Notice("bank_rail", Source.BANK_APP, message, change, offset=reading.offset(identifier))
    if "68" in reading.members.get("62", {}):
        message = "template 62.68 is ABA PayWay's own; other apps pass over it"
        change = (
            "Leave 62.68 out, unless PayWay itself asked for it; a reference for everybody is a bill number, 62.01."
        )
        yield Notice("payway_data", Source.BANK_APP, message, change, offset=reading.offset("62", "68"))


def _identifier_of(value: str) -> str:
    """Return the globally unique identifier of a template as a message shows it; `""` if there is none."""
    pairs, stop = split(value)
    identifier = dict(pairs).get("00") if stop == len(value) else None
    return f" ({printable(identifier)})" if identifier else ""


def _tracking(reading: Reading) -> Iterator[Notice]:
    if not reading.is_dynamic:
        message = "a static code is paid by many: Bakong doesn't track it by its MD5"
        change = "Make a dynamic code, with an amount and an expiration, for each payment that is to be followed."
        yield Notice("static_not_tracked", Source.OFFICIAL_SDK, message, change, offset=reading.offset("01"))
    elif "01" not in reading.members.get("62", {}):
        message = (
            "there is no bill number (62.01): two codes for one amount that two processes of a shop make in the same "
            "millisecond are one code, and one payment settles both"
        )
        change = "Give each code a bill_number of its own (data object 62.01), such as the order's number."
        yield Notice("no_bill_number", Source.OURS, message, change, field="bill_number")


def _times(reading: Reading) -> Iterator[Notice]:
    if "99" not in reading.objects:
        return
    offset, members = reading.offset("99"), reading.members["99"]
    if not reading.is_dynamic:
        message = "a static code has no expiry: data object 99 isn't judged"
        change = "Leave 99 out, or make the code dynamic."
        yield Notice("timestamp_on_static", Source.OFFICIAL_SDK, message, change, offset=offset)
        for identifier, name in (("00", "created_at"), ("01", "expires_at")):
            if _SECONDS.fullmatch(members.get(identifier, "")):  # in a dynamic code this is a fault
                message = f"{name} {members[identifier]} has 10 digits: seconds, which apps take for a time in 1970"
                change = "Write milliseconds, 13 digits, or leave 99 out."
                at = reading.offset("99", identifier)
                yield Notice("timestamp_in_seconds", Source.BANK_APP, message, change, field=name, offset=at)
    elif "00" not in members:
        message = "there is no creation timestamp (99.00); the official SDK always writes one"
        change = "Add 99.00, the time at which the code was made, in milliseconds."
        yield Notice("no_creation_timestamp", Source.OFFICIAL_SDK, message, change, field="created_at", offset=offset)
    elif reading.created_ms is not None and reading.created_ms == reading.expires_ms:
        message = "the code expires the moment it is made, as in ABA PayWay's guideline: nobody can pay it in time"
        change = "Make the expiration (99.01) later, by ten minutes for example."
        yield Notice("expires_at_creation", Source.BANK_APP, message, change, field="expires_at", offset=offset)


def _letter_of_the_standard(reading: Reading) -> Iterator[Notice]:
    objects = reading.objects
    if reading.readable and "01" not in objects:
        message = "there is no point of initiation method (01); the standard takes the code for static"
        change = "Write 010211 after 000201, or 010212 for a code with an amount."
        yield Notice("no_initiation_method", Source.EMVCO, message, change, field="point_of_initiation_method")
    if len(objects.get("52", "5999")) < 4:
        message = "a merchant category code has four digits by the standard; the official SDK takes fewer"
        change = "Write all four digits, such as 5999."
        at = reading.offset("52")
        yield Notice("short_category_code", Source.EMVCO, message, change, field="merchant_category_code", offset=at)
    for identifier, name in _ASCII_ONLY.items():
        if not objects.get(identifier, "").isascii():
            message = f"{name} is ASCII by the standard, and another script's name stands in the language template (64)"
            change = f"Write {name} in Latin letters, and give {name}_alternate_language with its language_preference."
            at = reading.offset(identifier)
            yield Notice("name_not_ascii", Source.EMVCO, message, change, field=name, offset=at)
    for identifier, value in objects.items():
        if not value:
            message = f"data object {identifier} is empty; by the standard it has at least one character"
            change = f"Leave {identifier} out."
            yield Notice("empty_data_object", Source.EMVCO, message, change, offset=reading.offset(identifier))


def _characters(reading: Reading) -> Iterator[Notice]:
    """Yield the characters that this package puts into no code of its own, one for each data object."""
    others = not_khqr_templates(reading)
    for path, value in _values(reading):
        text_field = None if path[0] in others else _TEXT_FIELDS.get(path)
        alphabet, name = (text_field.alphabet, text_field.name) if text_field else (Alphabet.TEXT, None)
        if alphabet is Alphabet.DIGITS:
            continue  # its form was judged
        places = (at for at in refused_places(alphabet, value) if refused_character(value[at]) is None)
        if (at := next(places, None)) is not None:
            place = ".".join(path)
            holder = name or f"data object {place}"
            message = f"{holder} has {character_name(value[at])}, which this package doesn't write there"
            change = (
                "Check whether the character is meant. People don't see it or take it for another one, and software "
                f"does not. The field takes {alphabet}."
            )
            begin = reading.offset(*path)
            offset = None if begin is None else begin + 4 + at
            yield Notice("unusual_character", Source.OURS, message, change, field=name, offset=offset)


def _values(reading: Reading) -> Iterator[tuple[Path, str]]:
    """Yield the values that hold no data objects, with their places."""
    for identifier, value in reading.objects.items():
        if identifier in reading.members:
            yield from (((identifier, inner), text) for inner, text in reading.members[identifier].items())
        else:
            yield (identifier,), value
