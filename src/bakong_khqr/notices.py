"""What is worth knowing about a payload and is no fault: habits of banks, and corners of the standard."""

from collections.abc import Iterator
from itertools import pairwise

from attrs import frozen

from bakong_khqr.advice import Source
from bakong_khqr.emv.tlv import split
from bakong_khqr.reading import Reading

_OTHER_ACCOUNTS = frozenset(f"{number:02}" for number in range(2, 52)) - {"15", "29", "30"}
_ASCII_ONLY = {"59": "merchant_name", "60": "merchant_city"}


@frozen
class Notice:
    """Something to know. `field` and `offset` as in `InvalidKHQR`; `source` is who has this rule or habit."""

    name: str
    source: Source
    message: str
    field: str | None = None
    offset: int | None = None


def notices(reading: Reading) -> Iterator[Notice]:
    """Yield what is worth knowing about the payload of `reading`."""
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
            source = Source.EMVCO if after == "00" else Source.OFFICIAL_SDK
            yield Notice("tag_order", source, message, offset=reading.offset(after))
            return


def _rails(reading: Reading) -> Iterator[Notice]:
    for identifier in reading.objects:
        if identifier in _OTHER_ACCOUNTS:
            message = (
                f"data object {identifier} is an account outside Bakong (ABA puts its own into 40): that bank's app "
                "may pay there, and Bakong then never sees the payment"
            )
            yield Notice("bank_rail", Source.BANK_APP, message, offset=reading.offset(identifier))
    if "68" in reading.members.get("62", {}):
        message = "template 62.68 is ABA PayWay's own; other apps pass over it"
        yield Notice("payway_data", Source.BANK_APP, message, offset=reading.offset("62", "68"))


def _tracking(reading: Reading) -> Iterator[Notice]:
    if reading.objects and not reading.is_dynamic:
        message = "a static code is paid by many: Bakong doesn't track it by its MD5"
        yield Notice("static_not_tracked", Source.OFFICIAL_SDK, message, offset=reading.offset("01"))


def _times(reading: Reading) -> Iterator[Notice]:
    if "99" not in reading.objects:
        return
    offset = reading.offset("99")
    if not reading.is_dynamic:
        message = "a static code has no expiry: data object 99 isn't judged"
        yield Notice("timestamp_on_static", Source.OFFICIAL_SDK, message, offset=offset)
    elif "00" not in reading.members["99"]:
        message = "there is no creation timestamp (99.00); the official SDK always writes one"
        yield Notice("no_creation_timestamp", Source.OFFICIAL_SDK, message, field="created_at", offset=offset)
    elif reading.created_ms is not None and reading.created_ms == reading.expires_ms:
        message = "the code expires the moment it is made, as in ABA PayWay's guideline: nobody can pay it in time"
        yield Notice("expires_at_creation", Source.BANK_APP, message, field="expires_at", offset=offset)


def _letter_of_the_standard(reading: Reading) -> Iterator[Notice]:
    objects = reading.objects
    if objects and reading.readable and "01" not in objects:
        message = "there is no point of initiation method (01); the standard takes the code for static"
        yield Notice("no_initiation_method", Source.EMVCO, message, field="point_of_initiation_method")
    if len(objects.get("52", "5999")) < 4:
        message = "a merchant category code has four digits by the standard; the official SDK takes fewer"
        yield Notice(
            "short_category_code", Source.EMVCO, message, field="merchant_category_code", offset=reading.offset("52")
        )
    for identifier, name in _ASCII_ONLY.items():
        if not objects.get(identifier, "").isascii():
            message = f"{name} is ASCII by the standard; write another script's name into the language template (64)"
            yield Notice("name_not_ascii", Source.EMVCO, message, field=name, offset=reading.offset(identifier))
    for identifier, value in objects.items():
        if not value:
            message = f"data object {identifier} is empty; by the standard it has at least one character"
            yield Notice("empty_data_object", Source.EMVCO, message, offset=reading.offset(identifier))
