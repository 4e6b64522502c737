"""A payload that was changed on its way is recognised by what happened to it, and the note says what to do."""

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakong_khqr import KHQR, emv, inspect
from bakong_khqr.payload._copying import MOST_COPIED, SLIPS, slips

KHMER = KHQR.individual(
    bakong_account_id="sokha@aclb",
    merchant_name="ហាងកាហ្វេ",
    amount=10000,
    bill_number="INV 1",
    mobile_number="+85512345678",
    created_at=1_764_000_000_000,
    expires_at=9_764_000_000_000,
).payload
LATIN = KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee").payload
ACCENT = KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="Café").payload


def as_windows_1252(text: str) -> str:
    return "".join(bytes([one]).decode("cp1252", "ignore") or chr(one) for one in text.encode())


def in_bytes(payload: str) -> str:
    """Return the payload as a maker writes it who counts bytes."""
    text = "".join(f"{one.id}{len(one.value.encode()):02}{one.value}" for one in emv.parse(payload)[:-1]) + "6304"
    return text + emv.crc16(text)


CHANGED = [
    (f'"{KHMER}"', ["quotes_around"]),
    (f"“{LATIN}”", ["quotes_around"]),
    (f"'{LATIN}", ["quotes_around"]),
    (f" {KHMER}\n", ["blanks_or_line_ends"]),
    (f"\u00a0{LATIN}\u200b", ["blanks_or_line_ends"]),
    (f"{LATIN[:40]}\r\n{LATIN[40:]}", ["blanks_or_line_ends"]),
    (LATIN.replace(" ", "\u00a0"), ["blanks_or_line_ends"]),
    (f"\ufeff{KHMER}", ["byte_order_mark"]),
    (f"ï»¿{LATIN}", ["byte_order_mark"]),
    (quote(KHMER), ["url_encoded"]),
    (quote(KHMER, safe="@"), ["url_encoded"]),
    (quote_plus(KHMER), ["url_encoded"]),
    (quote_plus(LATIN), ["url_encoded"]),
    (KHMER.encode().decode("latin-1"), ["read_as_latin_1"]),
    (as_windows_1252(KHMER), ["read_as_latin_1"]),
    (as_windows_1252(ACCENT), ["read_as_latin_1"]),
    (in_bytes(KHMER), ["lengths_in_bytes"]),
    (f' "{KHMER}"\n', ["blanks_or_line_ends", "quotes_around"]),
    (f'\ufeff"{quote(KHMER)}"', ["byte_order_mark", "quotes_around", "url_encoded"]),
    (f'"{in_bytes(KHMER)}"', ["quotes_around", "lengths_in_bytes"]),
]


@pytest.mark.parametrize(("text", "names"), CHANGED)
def test_what_happened_to_a_text_is_named_with_what_to_do(text: str, names: list[str]) -> None:
    inspection = inspect(text)
    assert not inspection.is_valid
    noted = [one for one in inspection.notices if one.name in SLIPS]
    assert [one.name for one in noted] == names
    for one in noted:
        assert f"note: {one.message}" in str(inspection)
        assert one.change in str(inspection)


def test_every_slip_is_tried() -> None:
    assert {name for _, names in CHANGED for name in names} == set(SLIPS)


@pytest.mark.parametrize(
    "text",
    [
        KHMER,
        LATIN,
        "",
        "hello",
        '"hello"',
        "%40%41",
        "+",
        "áž",
        KHMER[:-10],
        f'"{KHMER[:-10]}"',
        KHMER.replace("sokha", "dokha"),
        "\udc80 6304",
        "9" * 600,
        f'"{"0000" * 2000}"',
    ],
)
def test_nothing_is_said_of_a_text_that_nothing_known_happened_to(text: str) -> None:
    assert slips(text) == ()


def test_a_text_with_a_fault_of_its_own_is_recognised_too() -> None:
    assert [one.name for one in slips(f'"{LATIN[:-4]}0000"')] == ["quotes_around"]


def test_a_bound_is_kept() -> None:
    assert slips('"' * MOST_COPIED + KHMER) == ()


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.text("0123456789\"' %+4@\ufeffáž\udc80", max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    assert set(slips(text)) <= set(SLIPS.values())
