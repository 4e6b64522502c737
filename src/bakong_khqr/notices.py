"""What is worth knowing about a payload and is no fault: habits of banks, and corners of the standard."""

import re
from collections.abc import Iterator
from itertools import pairwise

from attrs import frozen

from bakong_khqr.advice import Source
from bakong_khqr.emv.tlv import split
from bakong_khqr.reading import Reading

_OTHER_ACCOUNTS = frozenset(f"{number:02}" for number in range(2, 52)) - {"15", "29", "30"}
_ASCII_ONLY = {"59": "merchant_name", "60": "merchant_city"}
_SECONDS = re.compile("[0-9]{10}")


@frozen
class Notice:
    """Something to know. `source` is who has this rule or habit, `change` is for whoever would rather not have it;
    `field` and `offset` as in `InvalidKHQR`.
    """

    name: str
    source: Source
    message: str
    change: str
    field: str | None = None
    offset: int | None = None


def notices(reading: Reading) -> Iterator[Notice]:
    """Yield what is worth knowing about the payload of `reading`: nothing where it was too long to be read."""
    if not reading.objects:
        return
    yield from _order(reading)
    yield from _rails(reading)
    yield from _tracking(reading)
    yield from _times(reading)
    yield from _letter_of_the_standard(reading)


def _order(reading: Reading) -> Iterator[Notice]:
    ids = [identifier for identifier, _ in split(reading.payload)[0] if identifier != "63"]
    for before, after in pairwise(ids):
        if after < before:
            message = f"data object {after} comes after {before}; the official SDK writes them in order, 63 last"
            change = f"Move {after} before {before}, 00 first and the others by their IDs, and compute the CRC anew."
            source = Source.EMVCO if after == "00" else Source.OFFICIAL_SDK
            yield Notice("tag_order", source, message, change, offset=reading.offset(after))
            return


def _rails(reading: Reading) -> Iterator[Notice]:
    for identifier in reading.objects:
        if identifier in _OTHER_ACCOUNTS:
            message = (
                f"data object {identifier} is an account outside Bakong (ABA puts its own into 40): that bank's app "
                "may pay there, and Bakong then never sees the payment"
            )
            change = f"Leave {identifier} out: make the code from the Bakong account ID, not from a copy of a bank's."
            yield Notice("bank_rail", Source.BANK_APP, message, change, offset=reading.offset(identifier))
    if "68" in reading.members.get("62", {}):
        message = "template 62.68 is ABA PayWay's own; other apps pass over it"
        change = (
            "Leave 62.68 out, unless PayWay itself asked for it; a reference for everybody is a bill number, 62.01."
        )
        yield Notice("payway_data", Source.BANK_APP, message, change, offset=reading.offset("62", "68"))


def _tracking(reading: Reading) -> Iterator[Notice]:
    if not reading.is_dynamic:
        message = "a static code is paid by many: Bakong doesn't track it by its MD5"
        change = "Make a dynamic code, with an amount and an expiration, for each payment that is to be followed."
        yield Notice("static_not_tracked", Source.OFFICIAL_SDK, message, change, offset=reading.offset("01"))


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
