"""Any EMVCo merchant-presented payload: read into data objects, shown by ID, built again."""

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakong_khqr import ErrorCode, InvalidKHQR, emv
from bakong_khqr.emv import DataObject
from bakong_khqr.emv.tags import TAGS

PROMPTPAY = "00020101021129370016A000000677010111011300660000000005802TH530376463048956"
PIX = "00020126360014br.gov.bcb.pix0114+55619999999995204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***6304"
ABROAD = [
    pytest.param(
        PROMPTPAY,
        {
            "00": "01",
            "01": "11",
            "29": {"00": "A000000677010111", "01": "0066000000000"},
            "58": "TH",
            "53": "764",
            "63": "8956",
        },
        id="Thailand",
    ),
    pytest.param(
        PIX,
        {
            "00": "01",
            "26": {"00": "br.gov.bcb.pix", "01": "+5561999999999"},
            "52": "0000",
            "53": "986",
            "58": "BR",
            "59": "Fulano de Tal",
            "60": "BRASILIA",
            "62": {"05": "***"},
        },
        id="Brazil, its checksum cut off",
    ),
]


@pytest.mark.parametrize(("payload", "expected"), ABROAD)
def test_a_payload_from_abroad_is_read_and_built_again(payload: str, expected: dict[str, Any]) -> None:
    text = payload.removesuffix("6304")
    data_objects = emv.parse(text)
    assert emv.to_dict(data_objects) == expected
    assert emv.build(data_objects) == text


def test_what_a_data_object_is_made_of() -> None:
    (first, template) = emv.parse("0002016215" + "0103a-1" + "5004" + "0000")
    assert (first.id, first.value, first.offset, first.data_objects) == ("00", "01", 0, ())
    assert (template.id, template.value, template.offset) == ("62", "0103a-150040000", 6)
    bill, system = template.data_objects
    assert (bill.id, bill.value, bill.offset) == ("01", "a-1", 10)
    assert system.data_objects == (DataObject("00", ""),)
    assert [system.offset, system.data_objects[0].offset] == [17, 21]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("2904" + "0000", {"29": {"00": ""}}),
        ("2604abcd", {"26": "abcd"}),
        ("26040000", {"26": {"00": ""}}),
        ("260800000000", {"26": "00000000"}),
        ("5104" + "01xx", {"51": "01xx"}),
        ("9804" + "0000", {"98": {"00": ""}}),
        ("2504" + "0000", {"25": "0000"}),
        ("5904" + "0000", {"59": "0000"}),
        ("6200", {"62": ""}),
        ("6208" + "4904" + "0000", {"62": {"49": "0000"}}),
        ("6208" + "5004" + "0000", {"62": {"50": {"00": ""}}}),
        ("6212" + "5008" + "0004" + "0000", {"62": {"50": {"00": "0000"}}}),
        ("6208" + "9904" + "nope", {"62": {"99": "nope"}}),
        ("6408" + "5004" + "0000", {"64": {"50": "0000"}}),
    ],
)
def test_templates_nest_as_deep_as_the_standard_says_and_no_deeper(text: str, expected: dict[str, Any]) -> None:
    assert emv.to_dict(emv.parse(text)) == expected


@pytest.mark.parametrize("identifier", ["29", "30", "62", "64", "99"])
def test_a_template_that_khqr_defines_must_nest(identifier: str) -> None:
    with pytest.raises(InvalidKHQR, match=f"in template {identifier}") as caught:
        emv.parse(f"000201{identifier}04abcd")
    assert (caught.value.code, caught.value.offset) == (ErrorCode.MALFORMED_TLV, 10)


@pytest.mark.parametrize(
    ("text", "code", "offset", "told"),
    [
        ("000201000201", 1002, 6, "data object 00 comes twice"),
        ("62100101a0101b", 1002, 9, "data object 62.01 comes twice"),
        ("00", 1001, 0, "too short"),
        ("0002", 1001, 2, "says 02 characters but 0 are left"),
        ("00-1x", 1001, 2, "'-1' isn't a valid length of data object 00"),
        ("0x01x", 1001, 0, "'0x' isn't a valid ID"),
        ("0001\x00", 1005, 4, r"U\+0000"),
        ("0001😀", 1005, 4, r"U\+1F600"),
        ("00" * 257, 1004, 512, "514 characters; it may have at most 512"),
    ],
)
def test_a_malformed_payload_is_an_error_with_its_place(text: str, code: int, offset: int, told: str) -> None:
    with pytest.raises(InvalidKHQR, match=told) as caught:
        emv.parse(text)
    assert (caught.value.code, caught.value.offset) == (code, offset)


def deep(levels: int) -> DataObject:
    inner = DataObject("50", "x")
    for _ in range(levels):
        text = f"{inner.id}{len(inner.value):02}{inner.value}"[:99]
        inner = DataObject("50", text, (inner,))
    return DataObject("62", f"50{len(inner.value):02}{inner.value}", (inner,))


@pytest.mark.parametrize(
    ("data_objects", "code"),
    [
        ([DataObject("0", "x")], 1001),
        ([DataObject("00x", "x")], 1001),
        ([DataObject("00", "x" * 100)], 1001),
        ([DataObject("00", "x"), DataObject("00", "y")], 1002),
        ([DataObject("62", "other", (DataObject("01", "x"),))], 1001),
        ([DataObject("59", "0101x", (DataObject("01", "x"),))], 1010),
        ([deep(2)], 1010),
        ([DataObject("00", "\ud800")], 1005),
        ([DataObject(f"{n:02}", "x" * 90) for n in range(6)], 1004),
    ],
)
def test_what_could_not_be_read_back_is_not_built(data_objects: list[DataObject], code: int) -> None:
    with pytest.raises(InvalidKHQR) as caught:
        emv.build(data_objects)
    assert caught.value.code == code


def test_a_template_is_made_of_data_objects_and_is_at_most_99_characters() -> None:
    template = DataObject.template(
        "62", [DataObject("01", "INV-1"), DataObject.template("50", [DataObject("00", "x")])]
    )
    assert emv.build([template]) == "6218" + "0105INV-1" + "50050001x"
    assert emv.parse(emv.build([template])) == (template,)
    fields = [DataObject(f"{n:02}", "x" * 25) for n in range(1, 5)]
    with pytest.raises(InvalidKHQR, match="template 62 has 116 characters") as caught:
        emv.build([DataObject.template("62", fields)])
    assert (caught.value.code, caught.value.length, caught.value.limit) == (1003, 116, 99)


def test_what_nests_deeper_than_the_standard_is_no_dictionary() -> None:
    assert emv.to_dict([deep(0)]) == {"62": {"50": "x"}}
    assert emv.to_dict([deep(1)]) == {"62": {"50": {"50": "x"}}}
    for levels in (2, 5_000):
        with pytest.raises(InvalidKHQR) as caught:
            emv.to_dict([deep(levels)])
        assert caught.value.code == ErrorCode.NESTING_TOO_DEEP


def test_a_refused_id_is_shown_short() -> None:
    with pytest.raises(InvalidKHQR) as caught:
        emv.build([DataObject("0" * 1_000_000, "x")])
    assert (caught.value.length, caught.value.limit, len(str(caught.value)) < 100) == (1_000_000, 2, True)


def test_a_changed_payload_is_built_and_sealed() -> None:
    data_objects = [attrs.evolve(one, value="5.00") if one.id == "54" else one for one in emv.parse("00020154041.00")]
    text = emv.build(data_objects) + "6304"
    assert text + emv.crc16(text) == "00020154045.006304" + emv.crc16("00020154045.006304")


def test_a_checksum_of_text_without_bytes_is_our_error() -> None:
    with pytest.raises(InvalidKHQR, match=r"U\+DC80"):
        emv.crc16("0001\udc80")


LEAF = st.text(st.characters(min_codepoint=32, max_codepoint=0xFFFF, exclude_categories=("Cs", "Cc")), max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.integers(0, 99), LEAF, max_size=12))
def test_parse_undoes_build(values: dict[int, str]) -> None:
    must_nest = {29, 30, 62, 64, 99}
    given_objects = [DataObject(f"{number:02}", value) for number, value in values.items() if number not in must_nest]
    text = emv.build(given_objects)
    parsed = emv.parse(text)
    assert [(one.id, one.value) for one in parsed] == [(one.id, one.value) for one in given_objects]
    for one in parsed:
        assert text[one.offset :].startswith(f"{one.id}{len(one.value):02}{one.value}")


@pytest.mark.parametrize(
    ("path", "name", "source"),
    [
        (("00",), "Payload Format Indicator", "EMVCo"),
        (("15",), "Merchant Account Information, UnionPay", "EMVCo"),
        (("29", "00"), "Bakong Account ID", "KHQR"),
        (("40", "00"), "Globally Unique Identifier", "EMVCo"),
        (("62", "08"), "Purpose of Transaction", "EMVCo"),
        (("62", "68", "01"), "Payment system specific", "EMVCo"),
        (("64", "01"), "Merchant Name, alternate language", "EMVCo"),
        (("80",), "Unreserved Template", "EMVCo"),
        (("99", "01"), "Expiration Timestamp", "KHQR"),
    ],
)
def test_a_data_object_is_called_by_its_standards_name(path: tuple[str, ...], name: str, source: str) -> None:
    tag = emv.describe(*path)
    assert tag is not None
    assert (tag.name, tag.source) == (name, source)


def test_every_id_of_a_payload_is_in_the_table_and_nothing_below_a_text_is() -> None:
    for number in range(100):
        assert emv.describe(f"{number:02}") is not None
    assert emv.describe("59", "00") is None
    assert emv.describe("62", "01", "00") is None
    assert all(tag.least <= tag.most <= 99 for tag in TAGS)


@pytest.mark.parametrize("wrong", [b"00", None, 5, [5], ["00"], [("00", "01")], [None]])
def test_what_is_neither_text_nor_data_objects_is_a_type_error(wrong: Any) -> None:
    for take in (emv.parse, emv.crc16, emv.build, emv.to_dict, lambda inner: DataObject.template("62", inner)):
        with pytest.raises(TypeError):
            take(wrong)
    with pytest.raises(TypeError, match=type(wrong).__name__):
        DataObject("62", "x", (wrong,))
    for arguments in ((wrong, "x"), ("00", wrong)):
        with pytest.raises(TypeError, match="a data object's ID and value are str"):
            DataObject(*arguments)
