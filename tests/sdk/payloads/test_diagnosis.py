"""`inspect` explains a payload to a person: every character, every problem and its rule, and what else to know."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from bakong_khqr import KHQR, ErrorCode, emv, inspect, verify
from bakong_khqr.diagnosis import InspectedObject
from bakong_khqr.diagnosis._advice import ADVICE, Source

NOW = datetime(2025, 11, 24, 16, 0, tzinfo=UTC)
NOW_MS = 1_764_000_000_000

# Codes that no payload has: deep links and the Open API, and what only `emv.build` refuses.
NOT_OF_A_PAYLOAD = {13, 14, 15, 29, 36}


def tlv(identifier: str, value: str) -> str:
    return f"{identifier}{len(value):02}{value}"


def seal(text: str) -> str:
    return text + "6304" + emv.crc16(text + "6304")


STATIC = "000201010211" + tlv("29", tlv("00", "sokha@aclb")) + "520459995303116" + "5802KH5905Sokha6010Phnom Penh"
DYNAMIC = KHQR.individual(
    bakong_account_id="sokha@aclb",
    merchant_name="Sokha",
    currency="USD",
    amount="2.50",
    bill_number="INV-1",
    created_at=NOW,
    expires_in=timedelta(minutes=10),
).payload


def level(data_objects: tuple[InspectedObject, ...]) -> str:
    """Spell a level out again, and hold each object's inner level to its value."""
    text = ""
    for one in data_objects:
        if one.data_objects:
            assert level(one.data_objects) == one.value
        text += one.value if one.id == "??" else tlv(one.id, one.value)
    return text


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "hello",
        seal(STATIC),
        DYNAMIC,
        seal(STATIC + tlv("62", "0103abc0x")),
        seal(STATIC + tlv("62", tlv("01", "a") + tlv("01", "b")) + tlv("80", "x") + tlv("80", "y")),
        STATIC + "9950" + "6304",
        "\x00\ud800😀",
    ],
)
def test_no_character_of_a_payload_is_left_out(payload: str) -> None:
    inspection = inspect(payload, now=NOW)
    assert level(inspection.data_objects) == payload
    assert inspection.payload == payload


def test_a_good_payload_is_explained_as_a_table() -> None:
    assert str(inspect(DYNAMIC, now=NOW)) == (
        """\
A valid KHQR.

offset  ID         length  name                                     value
     0  00              2  Payload Format Indicator                 01  (version 1)
     6  01              2  Point of Initiation Method               12  (dynamic: for one payment)
    12  29             14  Merchant Account Information, individual
    16    00           10  Bakong Account ID                        sokha@aclb
    30  52              4  Merchant Category Code                   5999
    38  53              3  Transaction Currency                     840  (US dollar, USD)
    45  54              4  Transaction Amount                       2.50
    53  58              2  Country Code                             KH  (Cambodia)
    59  59              5  Merchant Name                            Sokha
    68  60             10  Merchant City                            Phnom Penh
    82  62              9  Additional Data Field Template
    86    01            5  Bill Number                              INV-1
    95  99             34  Timestamp
    99    00           13  Creation Timestamp                       1764000000000  (2025-11-24 23:00:00 in Phnom Penh)
   116    01           13  Expiration Timestamp                     1764000600000  (2025-11-24 23:10:00 in Phnom Penh)
   133  63              4  CRC                                      """
        + DYNAMIC[-4:]
        + "\n"
    )


def test_a_problem_stands_beside_its_data_object_with_whose_rule_it_breaks_and_what_to_change() -> None:
    payload = seal(STATIC.replace("5802KH", "5802TH") + tlv("62", tlv("01", "x" * 26)))
    inspection = inspect(payload)
    by_id = {one.id: one for one in inspection.data_objects}
    assert [one.code for one in by_id["58"].problems] == [ErrorCode.COUNTRY_CODE_INVALID]
    assert by_id["62"].problems == ()
    assert [one.code for one in by_id["62"].data_objects[0].problems] == [ErrorCode.BILL_NUMBER_LENGTH_INVALID]
    text = str(inspection)
    assert "Not a valid KHQR: 2 problems." in text
    assert "wrong: country_code 'TH' must be KH [this package, code 1008]" in text
    assert ADVICE[ErrorCode.COUNTRY_CODE_INVALID].change in text
    assert text.index("Country Code") < text.index("country_code 'TH'") < text.index("Merchant Name")


def test_a_problem_is_told_once_at_its_own_data_object() -> None:
    damaged = seal(STATIC + "99030AA")[:-4] + "0000"
    text = str(inspect(damaged))
    assert text.count("the CRC is 0000") == text.count("'0AA' is too short") == 1
    assert text.index("'0AA' is too short") < text.index("CRC  ") < text.index("the CRC is 0000")


def test_a_problem_without_a_place_is_told_too() -> None:
    text = str(inspect(seal(STATIC.replace("5802KH", ""))))
    assert "wrong: country_code (data object 58) is required [EMVCo standard, code 26]" in text
    assert "wrong: the payload has 600 characters" in str(inspect("9" * 600))


@pytest.mark.parametrize(
    ("payload", "name", "source"),
    [
        (seal("010211000201" + STATIC[12:]), "tag_order", Source.EMVCO),
        (seal(STATIC[:12] + "5802KH" + STATIC[12:].replace("5802KH", "")), "tag_order", Source.OFFICIAL_SDK),
        (seal(STATIC + tlv("40", tlv("00", "abaP2P"))), "bank_rail", Source.BANK_APP),
        (seal(STATIC + tlv("62", tlv("68", tlv("00", "payway")))), "payway_data", Source.BANK_APP),
        (seal(STATIC), "static_not_tracked", Source.OFFICIAL_SDK),
        (seal(STATIC + tlv("99", tlv("00", "39CA026411FDA"))), "timestamp_on_static", Source.OFFICIAL_SDK),
        (seal(STATIC + tlv("99", tlv("00", "1764000000"))), "timestamp_in_seconds", Source.BANK_APP),
        (seal(DYNAMIC[:-8].replace(f"99340013{NOW_MS}", "9917")), "no_creation_timestamp", Source.OFFICIAL_SDK),
        (seal(DYNAMIC[:-8].replace("1764000600000", f"{NOW_MS}")), "expires_at_creation", Source.BANK_APP),
        (seal(STATIC.replace("010211", "")), "no_initiation_method", Source.EMVCO),
        (seal(STATIC.replace("52045999", "5203599")), "short_category_code", Source.EMVCO),
        (seal(STATIC.replace("5905Sokha", "5904សុខា")), "name_not_ascii", Source.EMVCO),
        (seal(STATIC + "8000"), "empty_data_object", Source.EMVCO),
        (seal(DYNAMIC[:-8].replace("62090105INV-1", "")), "no_bill_number", Source.OURS),
        (seal(STATIC.replace("sokha@aclb", "s kha@aclb")), "unusual_character", Source.OURS),
    ],
)  # fmt: skip
def test_what_is_worth_knowing_is_a_notice_and_no_problem(payload: str, name: str, source: Source) -> None:
    inspection = inspect(payload, now=NOW)
    assert inspection.is_valid
    (notice,) = [one for one in inspection.notices if one.name == name]
    assert notice.source is source
    assert f"note: {notice.message}" in str(inspection)
    assert f"\n      {notice.change}" in str(inspection)
    assert notice.change.endswith(".")
    assert notice.change in json.dumps(inspection.to_dict(), ensure_ascii=False)


def test_a_payload_that_was_not_read_has_nothing_to_note() -> None:
    assert inspect("0000" * 1000).notices == ()


def test_an_ordinary_dynamic_code_has_nothing_to_note() -> None:
    assert inspect(DYNAMIC, now=NOW).notices == ()


def test_everything_known_is_there_for_programs() -> None:
    found = json.loads(json.dumps(inspect(seal(STATIC.replace("5802KH", "5802TH"))).to_dict()))
    assert found["valid"] is False
    (problem,) = found["problems"]
    assert problem == {
        "code": 1008,
        "name": "COUNTRY_CODE_INVALID",
        "message": "country_code 'TH' must be KH",
        "field": "country_code",
        "offset": 45,
        "length": 2,
        "limit": 3,
        "source": "this package",
        "change": ADVICE[ErrorCode.COUNTRY_CODE_INVALID].change,
    }
    country = next(one for one in found["data_objects"] if one["id"] == "58")
    assert (country["value"], country["offset"], country["problems"]) == ("TH", 45, [1008])
    assert found["notices"][0]["name"] == "static_not_tracked"


def test_a_payload_cannot_write_to_a_terminal() -> None:
    text = str(inspect("0008\x1b[31mred" + "😀\ud800\u202e" + "5903\x07\x9b\r"))
    assert [one for one in text if not one.isprintable() and one != "\n"] == []


def test_every_code_that_a_payload_can_have_says_what_to_change() -> None:
    assert {code for code in ErrorCode if code not in ADVICE} == NOT_OF_A_PAYLOAD
    assert all(advice.change.endswith(".") for advice in ADVICE.values())


def test_a_verification_is_true_when_nothing_is_wrong() -> None:
    assert verify(DYNAMIC, now=NOW)
    assert (verify(DYNAMIC, now=NOW).is_valid, verify(DYNAMIC, now=NOW).error_code) == (True, None)
    assert not verify(DYNAMIC[:-1])
    assert verify(DYNAMIC[:-1]).is_valid is False
