"""Which characters a new code may hold, and that others' codes are read and noted."""

from typing import Any

import pytest

from bakong_khqr import KHQR, ErrorCode, InvalidKHQR, emv, inspect, verify
from bakong_khqr.payload._alphabet import Alphabet, first_refused
from bakong_khqr.payload._fields import TEXT_FIELDS

LEAST: dict[str, Any] = {"bakong_account_id": "sokha@aclb", "merchant_name": "Sokha Coffee"}
MERCHANT: dict[str, Any] = {**LEAST, "merchant_id": "123456", "acquiring_bank": "Dev Bank"}
IN_A_LANGUAGE: dict[str, Any] = {"language_preference": "km", "merchant_name_alternate_language": "សុខា"}

# One or two of every kind that a person can't see, or can't tell from a plain space.
UNSEEN = [
    pytest.param(one, id=f"U+{ord(one):04X}")
    for one in "\u00a0\u2003\u3000\u200b\u200c\u200d\ufeff\u00ad\u200e\u202e\u2066\u2028\u2029\uffff\u0378\ue000"
    "\u034f\u17b4\u3164\ufe0f\u2800"
]
FREE_TEXT = sorted({one.name for one in TEXT_FIELDS} - {"bakong_account_id", "merchant_category_code"})


def sealed(text: str) -> str:
    return text + "6304" + emv.crc16(text + "6304")


def others(account: str = "sokha@aclb", name: str = "Sokha", tail: str = "") -> str:
    """Return a code as somebody else made it, with no rule but the lengths."""
    inner = f"00{len(account):02}{account}"
    head = f"00020101021129{len(inner):02}{inner}5204599953031165802KH"
    return sealed(f"{head}59{len(name):02}{name}6010Phnom Penh{tail}")


@pytest.mark.parametrize("place", [0, 2, 5, 6, 10])
@pytest.mark.parametrize("one", [" ", *(param.values[0] for param in UNSEEN), "ក", "\u0430", "é"])
def test_an_account_id_is_visible_ascii_and_the_first_other_character_is_told_with_its_place(
    one: Any, place: int
) -> None:
    account = "sokha@aclb"[:place] + one + "sokha@aclb"[place:]
    for make, fields in ((KHQR.individual, LEAST), (KHQR.merchant, MERCHANT)):
        with pytest.raises(InvalidKHQR) as caught:
            make(**fields | {"bakong_account_id": account})
        error = caught.value
        assert (error.code, error.field, error.offset) == (3, "bakong_account_id", place)
        assert f"U+{ord(one):04X}" in str(error)
        assert str(error).isascii()


@pytest.mark.parametrize("account", ["sokha@aclb", "so.kha_1-2+3@aclb", "!#$%&'*/=?^`{|}~@b"])
def test_every_visible_ascii_character_may_be_in_an_account_id(account: str) -> None:
    assert KHQR.individual(**LEAST | {"bakong_account_id": account}).bakong_account_id == account


@pytest.mark.parametrize("one", UNSEEN)
@pytest.mark.parametrize("name", FREE_TEXT)
def test_no_field_takes_what_nobody_can_see(name: str, one: str) -> None:
    make, fields = (KHQR.merchant, MERCHANT) if name == "merchant_id" else (KHQR.individual, LEAST)
    value = f"k{one}" if name == "language_preference" else f"ab{one}cd"
    given = {**fields, **IN_A_LANGUAGE, name: value}
    with pytest.raises(InvalidKHQR) as caught:
        make(**given)
    error = caught.value
    assert (error.code, error.field, error.offset) == (ErrorCode.CHARACTER_REFUSED, name, value.index(one))


@pytest.mark.parametrize(
    "name", ["ហាង\u200bកាហ្វេ", "កាហ្វេ\u200bABA", "ប៊\u200cីយ៉ែរ", "Café Ⅳ №1", "Sokha Coffee", "☕ Ω"]
)
def test_a_name_takes_every_visible_text_and_what_khmer_is_written_with(name: str) -> None:
    khqr = KHQR.individual(**LEAST | {"merchant_name": name})
    assert KHQR.decode(khqr.payload).merchant_name == name
    assert not [one for one in inspect(khqr.payload).notices if one.name == "unusual_character"]


@pytest.mark.parametrize("name", ["ហាង\u200dកាហ្វេ", "ABA \u200bBank", "ហាង\u200cកាហ្វេ", "\u200b", "\u200c"])
def test_a_joiner_is_refused_where_khmer_does_not_need_it(name: str) -> None:
    with pytest.raises(InvalidKHQR) as caught:
        KHQR.individual(**LEAST | {"merchant_name": name})
    assert (caught.value.code, caught.value.field) == (1005, "merchant_name")


def test_a_number_takes_no_joiner_even_beside_khmer() -> None:
    with pytest.raises(InvalidKHQR, match=r"bill_number .*U\+200B ZERO WIDTH SPACE at offset 1"):
        KHQR.individual(**LEAST, bill_number="ក\u200b1")


@pytest.mark.parametrize(
    ("payload", "field", "told"),
    [
        (others(account="sokha @aclb"), "bakong_account_id", "U+0020 SPACE"),
        (others(account="sokh\u0430@aclb"), "bakong_account_id", "U+0430 CYRILLIC SMALL LETTER A"),
        (others(name="Sok\u202eha"), "merchant_name", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        (others(tail="62090105INV\u00a01"), "bill_number", "U+00A0 NO-BREAK SPACE"),
        (others(tail="6104\u00ad123"), None, "U+00AD SOFT HYPHEN"),
        (others(tail="80090005a\u2060bcd"), None, "U+2060 WORD JOINER"),
    ],
)
def test_a_code_that_others_made_is_read_and_its_unusual_characters_are_noted(
    payload: str, field: str | None, told: str
) -> None:
    assert KHQR.decode(payload).payload == payload
    assert verify(payload)
    (notice,) = [one for one in inspect(payload).notices if one.name == "unusual_character"]
    assert told in notice.message
    assert notice.field == field
    assert notice.offset is not None
    assert f"U+{ord(payload[notice.offset]):04X}" in notice.message


@pytest.mark.parametrize("alphabet", Alphabet)
def test_no_alphabet_refuses_its_plain_characters(alphabet: Alphabet) -> None:
    assert first_refused(alphabet, "0123456789") is None
    assert first_refused(alphabet, "1\x002") == 1
