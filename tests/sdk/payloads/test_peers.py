"""The payload bugs found in other KHQR libraries, each with whose it is and what this one does instead."""

from binascii import crc_hqx
from collections.abc import Callable
from contextlib import chdir
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from bakong_khqr import KHQR, InvalidKHQR, emv, inspect, verify

PYPI = "PyPI bakong-khqr 0.6.5"
NBC = "npm bakong-khqr 1.0.20 (official)"
TS = "npm ts-khqr 2.2.3"
MANETHPAK = "Manethpak/khqr-sdk 1.1.3"
GO = "ishinvin/go-khqr 1.0.0"
FLUTTER = "mrrhak/khqr_sdk 3.0.0"
KONTHAINA = "PyPI konthaina-khqr 0.1.7"
HENGLY = "henglyrepo/khqr-payment 1.0.1"
PHP = "fidele007/bakong-khqr-php 1.2.0"
FLICK = "flick-p/khqr"
SPRING = "tongbora Spring starter 1.0.8"
ORIGINAL = "the original service"

NOW_MS = 1_764_000_000_000
CREATION = f"0013{NOW_MS}"
FIELDS: dict[str, Any] = {
    "bakong_account_id": "sokha@aclb",
    "merchant_name": "Sokha Coffee",
    "created_at": NOW_MS,
    "expires_in": timedelta(minutes=10),
}
FULL_LABELS = dict.fromkeys(("bill_number", "mobile_number", "store_label", "terminal_label"), "x" * 25)


def made(**fields: Any) -> KHQR:
    return KHQR.individual(**FIELDS | fields)


def refused(code: int, **fields: Any) -> Callable[[], None]:
    """The code isn't made."""

    def check() -> None:
        with pytest.raises(InvalidKHQR) as caught:
            made(**fields)
        assert caught.value.code == code

    return check


def no_float(amount: float) -> Callable[[], None]:
    def check() -> None:
        with pytest.raises(TypeError, match="amount must be a Decimal"):
            made(amount=amount, currency="USD")

    return check


def written(fragment: str, **fields: Any) -> Callable[[], None]:
    """The code is made and has this in its payload."""

    def check() -> None:
        khqr = made(**fields)
        assert fragment in khqr.payload
        assert KHQR.decode(khqr.payload) == khqr

    return check


def found(code: int, before: str, after: str, **fields: Any) -> Callable[[], None]:
    """A payload with `before` changed to `after`, sealed anew, is found to be wrong."""

    def check() -> None:
        text = made(**fields).payload[:-4]
        assert before in text
        changed = text.replace(before, after)
        verification = verify(changed + emv.crc16(changed))
        assert code in [problem.code for problem in verification.problems]
        with pytest.raises(InvalidKHQR):
            KHQR.decode(changed + emv.crc16(changed))

    return check


def garbage_is_an_error() -> None:
    for garbage in ("", "hello", "00", "0002", "9" * 100, "000201"):
        with pytest.raises(InvalidKHQR):
            KHQR.decode(garbage)


def small_checksums_keep_their_zeros() -> None:
    seen = 0
    for number in range(9000):
        khqr = made(bill_number=f"{number}", amount=None)
        seen += khqr.crc.startswith("00")
        assert len(khqr.crc) == 4
        assert khqr.payload[-8:-4] == "6304"
    assert seen > 5


def another_order_is_told() -> None:
    text = made(amount=None).payload[:-8].replace("5802KH", "") + "5802KH6304"
    inspection = inspect(text + emv.crc16(text))
    assert inspection.is_valid
    assert "tag_order" in [notice.name for notice in inspection.notices]


def merchant_and_language_are_written() -> None:
    khqr = KHQR.merchant(
        **FIELDS,
        merchant_id="123456",
        acquiring_bank="Dev Bank",
        language_preference="km",
        merchant_name_alternate_language="សុខា",
    )
    assert emv.to_dict(khqr.data_objects)["30"] == {"00": "sokha@aclb", "01": "123456", "02": "Dev Bank"}
    assert emv.to_dict(khqr.data_objects)["64"] == {"00": "km", "01": "សុខា"}


def static_means_static() -> None:
    assert made().is_static
    assert not made(amount=1).is_static


def a_checksum_over_code_points_is_found() -> None:
    text = made(merchant_name="Café", amount=None).payload[:-4]
    wrong = f"{crc_hqx(text.encode('latin-1'), 0xFFFF):04X}"
    assert verify(text + wrong).error_code == 8


def an_amount_is_never_dropped() -> None:
    assert made(amount=100).amount == 100
    with pytest.raises(TypeError, match="static"):
        made(amount=100, static=True)


def khmer_is_counted_in_characters() -> None:
    written("5925" + "ក" * 25, merchant_name="ក" * 25)()
    refused(7, merchant_name="ក" * 26)()


def long_payload() -> KHQR:
    khmer = {"language_preference": "km", "merchant_name_alternate_language": "ហាងកាហ្វេមាត់ទន្លេ"}
    return made(amount=10000, merchant_name="Riverside", bill_number="x" * 25, store_label="y" * 25, **khmer)


def read_back(picture: bytes) -> str:
    with Image.open(BytesIO(picture)) as image:
        assert image.format == "PNG"
        return zxingcpp.read_barcodes(image)[0].text


def a_card_holds_more_than_213_bytes() -> None:
    khqr = long_payload()
    assert len(khqr.payload.encode()) > 213
    assert read_back(khqr.to_card(width=900)) == khqr.payload


def a_png_is_a_png_that_is_read() -> None:
    khqr = made(amount=10000)
    assert read_back(khqr.to_png()) == khqr.payload


def a_picture_is_in_no_file_unless_it_is_asked_for() -> None:
    with TemporaryDirectory() as folder, chdir(folder):
        for draw in (long_payload().to_png, long_payload().to_svg, long_payload().to_data_uri, long_payload().to_card):
            draw()
        assert list(Path().iterdir()) == []


def a_picture_that_cannot_be_is_an_error() -> None:
    with pytest.raises(ValueError, match="scale"):
        made().to_png(scale=0)


BUGS: list[tuple[str, str, Callable[[], None]]] = [
    (PYPI, "writes NaN as the amount", no_float(float("nan"))),
    (PYPI, "writes infinity as the amount", no_float(float("inf"))),
    (PYPI, "drops the amount where static=True", an_amount_is_never_dropped),
    (PYPI, "turns 1.005 dollars into 1", refused(4, amount="1.005", currency="USD")),
    (PYPI, "turns 2.675 dollars into 2.67", refused(4, amount="2.675", currency="USD")),
    (PYPI, "accepts 1000.75 riel", refused(4, amount="1000.75")),
    (PYPI, "turns 0.001 riel into 0", refused(4, amount="0.001")),
    (PYPI, "makes a negative amount a static code", refused(4, amount="-5")),
    (PYPI, "refuses Decimal", written("54042.50", amount=Decimal("2.50"), currency="USD")),
    (PYPI, "dies on text that its message asks for", written("54042.50", amount="2.50", currency="USD")),
    (PYPI, "accepts an account without @", refused(3, bakong_account_id="sokha")),
    (PYPI, "rewrites a foreign phone number", written("0212+14155550123", mobile_number="+14155550123")),
    (
        PYPI,
        "writes 62 in the order 03, 02, 01, 07",
        written("62200101a0201b0301c0701d", bill_number="a", mobile_number="b", store_label="c", terminal_label="d"),
    ),
    (PYPI, "writes 62 over 99 characters", refused(1003, **FULL_LABELS)),
    (
        PYPI,
        "writes a fractional expiry",
        found(49, f"34{CREATION}0113{NOW_MS + 600_000}", f"36{CREATION}0115{NOW_MS + 600_000}.5", amount=1),
    ),
    (PYPI, "knows expiry in whole days only", written("99340013", amount=1, expires_in=timedelta(seconds=90))),
    (NBC, "hangs for ever on letters for a length in a template", found(1001, "6304", "6204abcd6304")),
    (NBC, "writes 62 over 99 characters", refused(1003, **FULL_LABELS)),
    (NBC, "lets a second 29 change the account", found(1002, "6304", "29070003a@b6304")),
    (NBC, "lets a second 54 change the amount", found(1002, "5802KH", "540195802KH", amount=1)),
    (NBC, "accepts two checksums", found(1002, "6304", "6304ABCD6304")),
    (NBC, "accepts the account @", refused(3, bakong_account_id="@")),
    (NBC, "accepts the account a@@b", refused(3, bakong_account_id="a@@b")),
    (NBC, "writes control characters", refused(1005, merchant_name="Sokha\x00")),
    (NBC, "counts an emoji as two characters", refused(1005, merchant_name="Sokha ☕😀")),
    (
        NBC,
        "accepts one letter for a language",
        refused(38, language_preference="k", merchant_name_alternate_language="x"),
    ),
    (NBC, "accepts the country XX", found(1008, "5802KH", "5802XX")),
    (NBC, "verifies the amount abc", found(4, "5403100", "5403abc", amount=100)),
    (NBC, "verifies the amount nan", found(4, "5403100", "5403nan", amount=100)),
    (NBC, "verifies 1000.75 riel", found(4, "5403100", "54071000.75", amount=100)),
    (NBC, "makes a code of NaN", refused(4, amount="NaN")),
    (NBC, "makes a code of abc", refused(4, amount="abc", currency="USD")),
    (NBC, "makes a code of Infinity", refused(4, amount="Infinity", currency="USD")),
    (NBC, "makes a code of 1e+21", refused(4, amount="1e+21")),
    (NBC, "makes a code of 1,000 dollars", refused(4, amount="1,000", currency="USD")),
    (NBC, "takes 0x10 for 16 riel", refused(4, amount="0x10")),
    (NBC, "refuses 0.1 + 0.2", written("54040.30", amount=Decimal("0.1") + Decimal("0.2"), currency="USD")),
    (
        NBC,
        "returns success and no code for a name without its language",
        refused(37, merchant_name_alternate_language="x"),
    ),
    (NBC, "decodes garbage to nothing, as a success", garbage_is_an_error),
    (NBC, "doesn't tell another order of tags", another_order_is_told),
    (TS, "hangs for ever on letters for a length in a template", found(1001, "6304", "6404zzzz6304")),
    (TS, "drops the leading zeros of 1 checksum in 4096", small_checksums_keep_their_zeros),
    (TS, "makes NaN a static code", refused(4, amount="NaN", currency="USD")),
    (TS, "writes Infinity", refused(4, amount="Infinity")),
    (TS, "writes 1e21", refused(4, amount="1e21")),
    (TS, "writes 62 over 99 characters", refused(1003, **FULL_LABELS)),
    (MANETHPAK, "writes the creation in seconds", written(f"0013{NOW_MS}0113", amount=1)),
    (MANETHPAK, "accepts an account without @", refused(3, bakong_account_id="sokha.aclb")),
    (MANETHPAK, "makes NaN a static code", no_float(float("nan"))),
    (MANETHPAK, "writes 62 over 99 characters", refused(1003, **FULL_LABELS)),
    (GO, "panics on a negative length", found(1001, "6304", "620401-16304")),
    (GO, "lets a second 29 change the account", found(1002, "6304", "29070003a@b6304")),
    (GO, "takes money as a float", no_float(10.5)),
    (GO, "writes 62 over 99 characters", refused(1003, **FULL_LABELS)),
    (FLICK, "panics on a negative length", found(1001, "6304", "62-16304")),
    (FLUTTER, "takes the checksum of a Khmer name over UTF-16", written("5905សុខា", merchant_name="សុខា" + "១")),
    (FLUTTER, "writes 15 after 53", written("010211150512345" + "29", upi_account_information="12345", amount=None)),
    (FLUTTER, "overflows a card of version 10-M", a_card_holds_more_than_213_bytes),
    (FLUTTER, "makes a dynamic code without an expiry", refused(45, amount=1, expires_in=None)),
    (PHP, "takes money as a float", no_float(10.5)),
    (PHP, "counts here characters and there bytes", khmer_is_counted_in_characters),
    (KONTHAINA, "takes the checksum over code points", written("5904Café", merchant_name="Café")),
    (KONTHAINA, "approves of such a checksum", a_checksum_over_code_points_is_found),
    (KONTHAINA, "accepts nan", refused(4, amount="nan")),
    (KONTHAINA, "accepts any account", refused(3, bakong_account_id="sokha")),
    (KONTHAINA, "makes dynamic codes without an expiry", refused(45, amount=1, expires_in=None)),
    (KONTHAINA, "writes riel with decimals", written("54041000" + "5802", amount="1000.00")),
    (KONTHAINA, "accepts -1.00", refused(4, amount="-1.00", currency="USD")),
    (KONTHAINA, "accepts 0.00 in a dynamic code", found(4, "5403100", "54040.00", amount=100)),
    (KONTHAINA, "cuts a long name", refused(7, merchant_name="x" * 26)),
    (KONTHAINA, "crashes on garbage", garbage_is_an_error),
    (HENGLY, "cuts 10.50 dollars to 10", written("540510.50", amount="10.50", currency="USD")),
    (HENGLY, "cuts 0.99 dollars to 0", written("54040.99", amount="0.99", currency="USD")),
    (HENGLY, "drops the merchant and the language", merchant_and_language_are_written),
    (HENGLY, "says static of dynamic codes", static_means_static),
    (HENGLY, "makes dynamic codes without an expiry", refused(45, amount=1, expires_in=None)),
    (SPRING, "returns the text of an error as a picture", a_picture_that_cannot_be_is_an_error),
    (SPRING, "overflows an int in minutes", refused(49, amount=1, expires_in=timedelta(minutes=2**31))),
    (SPRING, "invents a merchant's name", refused(2, merchant_name="")),
    (ORIGINAL, "writes GIF data that nobody can read into a .png", a_png_is_a_png_that_is_read),
    (ORIGINAL, "fills a folder that nobody serves or empties", a_picture_is_in_no_file_unless_it_is_asked_for),
]


@pytest.mark.parametrize("check", [pytest.param(check, id=f"{whose} {bug}") for whose, bug, check in BUGS])
def test_no_bug_of_another_library_is_ours(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("name", ["Café", "ហាងកាហ្វេ", "Sokha", ""])
def test_the_checksum_is_over_the_bytes_of_utf_8(name: str) -> None:
    register = 0xFFFF
    for byte in name.encode("utf-8"):
        register ^= byte << 8
        for _ in range(8):
            register = ((register << 1) ^ 0x1021 if register & 0x8000 else register << 1) & 0xFFFF
    assert emv.crc16(name) == f"{register:04X}"
    assert emv.crc16("123456789") == "29B1"  # the check value that catalogues give for CRC-16/CCITT-FALSE
