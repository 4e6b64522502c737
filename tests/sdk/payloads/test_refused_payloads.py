"""What `verify` finds wrong and `decode` refuses: each fault with its code, field and place; and what both let pass."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bakong_khqr import KHQR, ErrorCode, InvalidKHQR, emv, inspect, verify

NOW = datetime(2025, 11, 24, 16, 0, tzinfo=UTC)
CREATED, EXPIRES = "1764000000000", "1764000600000"


def tlv(identifier: str, value: str) -> str:
    return f"{identifier}{len(value):02}{value}"


def seal(text: str) -> str:
    return text + "6304" + emv.crc16(text + "6304")


STATIC_HEAD, DYNAMIC_HEAD = "000201010211", "000201010212"
ACCOUNT = tlv("29", tlv("00", "sokha@aclb"))
RIEL, DOLLARS = "520459995303116", "520459995303840"
PLACE = "5802KH" + tlv("59", "Sokha Coffee") + tlv("60", "Phnom Penh")
TIMES = tlv("99", tlv("00", CREATED) + tlv("01", EXPIRES))
STATIC = STATIC_HEAD + ACCOUNT + RIEL + PLACE
DYNAMIC = DYNAMIC_HEAD + ACCOUNT + DOLLARS + tlv("54", "2.50") + PLACE + TIMES


def merchant(*members: str) -> str:
    return STATIC_HEAD + tlv("30", "".join(members)) + RIEL + PLACE


def dollars(amount: str) -> str:
    return DYNAMIC.replace(tlv("54", "2.50"), tlv("54", amount))


def timed(*members: str) -> str:
    return DYNAMIC.replace(TIMES, tlv("99", "".join(members)))


FAULTS = [
    # The checksum.
    pytest.param("", 24, "crc", None, id="nothing at all"),
    pytest.param(STATIC, 24, "crc", None, id="no checksum"),
    pytest.param(seal(STATIC)[:-1], 24, "crc", None, id="a digit short"),
    pytest.param(seal(STATIC) + "\n", 24, "crc", None, id="a line's end behind it"),
    pytest.param(" " + seal(STATIC), 8, "crc", 82, id="a space before it"),
    pytest.param(STATIC + "6304ZZZZ", 22, "crc", 81, id="not hexadecimal"),
    pytest.param(STATIC + "6303ABC", 22, "crc", 81, id="three digits"),
    pytest.param(STATIC + "63040000", 8, "crc", 81, id="another checksum"),
    pytest.param(seal(STATIC).replace("Sokha", "Dokha"), 8, "crc", 81, id="a character changed"),
    pytest.param(STATIC + "6304ABCD" + seal(STATIC)[-8:], 8, "crc", 89, id="twice: the checksum is that of other text"),
    pytest.param(seal(STATIC + "6304ABCD"), 1002, "crc", 89, id="twice, the second right"),
    pytest.param(STATIC + "6304ABCD" + tlv("61", "12000"), 24, "crc", None, id="something behind 63"),
    pytest.param(seal(STATIC + "7008"), 24, "crc", None, id="the checksum inside another value"),
    # The structure.
    pytest.param(seal(STATIC + "62"), 1001, None, 83, id="an ID without a length"),
    pytest.param(seal(STATIC + "620"), 1001, None, 91, id="half a length"),
    pytest.param(seal("0002010102119"), 1001, None, 14, id="length past the end"),
    pytest.param(seal(STATIC + "62-1"), 1001, None, 83, id="a negative length"),
    pytest.param(seal(STATIC + "62+1x"), 1001, None, 83, id="a signed length"),
    pytest.param(seal(STATIC + "62 1x"), 1001, None, 83, id="a blank in a length"),
    pytest.param(seal(STATIC + "62១១x"), 1001, None, 83, id="Khmer digits as a length"),
    pytest.param(seal(STATIC + "6a01x"), 1001, None, 81, id="a letter in an ID"),
    pytest.param(seal(STATIC + tlv("62", "abcd")), 1001, "additional_data", 85, id="letters in a template"),
    pytest.param(seal(STATIC + tlv("62", "01-1")), 1001, "additional_data", 87, id="a negative length in a template"),
    pytest.param(seal(STATIC + tlv("62", "0105INV")), 1001, "additional_data", 87, id="a member longer than that"),
    pytest.param(seal(STATIC + tlv("64", "00")), 1001, "language_template", 85, id="half a member"),
    pytest.param(
        seal(STATIC + "62116" + "0125" + "x" * 25 + "0225" + "x" * 25),
        1001, None, 96, id="three digits of length",
    ),
    pytest.param(seal(STATIC + tlv("80", "x") + tlv("80", "x")), 1002, None, 86, id="an unknown ID twice"),
    pytest.param(seal(STATIC + ACCOUNT), 1002, "individual_account", 81, id="29 twice"),
    pytest.param(seal(STATIC + tlv("62", tlv("01", "a") + tlv("01", "b"))), 1002, "bill_number", 90, id="two bills"),
    pytest.param(
        seal(STATIC + tlv("30", tlv("00", "b@c") + "0101x0201y")),
        1006, "bakong_account_id", 81, id="29 and 30",
    ),
    pytest.param("0" * 513, 1004, None, 512, id="513 characters"),
    pytest.param("9" * 1_000_000, 1004, None, 512, id="a million characters"),
    # Characters.
    pytest.param(seal(STATIC.replace("Sokha", "So\x00ha")), 1005, "merchant_name", 57, id="NUL"),
    pytest.param(seal(STATIC.replace("Sokha", "So\x1bha")), 1005, "merchant_name", 57, id="escape"),
    pytest.param(seal(STATIC.replace("sokha", "so\x7fha")), 1005, "bakong_account_id", 22, id="delete"),
    pytest.param(seal(STATIC + tlv("62", tlv("01", "\x85"))), 1005, "bill_number", 89, id="C1 control"),
    pytest.param(seal(STATIC + tlv("80", "😀")), 1005, None, 85, id="emoji"),
    pytest.param(STATIC.replace("Sokha", "So\ud800ha") + "63040000", 1005, "merchant_name", 57, id="lone surrogate"),
    # What must be there.
    pytest.param(seal(STATIC.replace("000201", "")), 23, "payload_format_indicator", None, id="no 00"),
    pytest.param(seal(STATIC.replace("000201", "0000")), 23, "payload_format_indicator", 0, id="00 empty"),
    pytest.param(seal(STATIC.replace("000201", "0003011")), 16, "payload_format_indicator", 0, id="00 too long"),
    pytest.param(seal(STATIC.replace("000201", "000202")), 1007, "payload_format_indicator", 0, id="00 not 01"),
    pytest.param(seal(STATIC.replace("010211", "010213")), 48, "point_of_initiation_method", 6, id="method 13"),
    pytest.param(seal(STATIC.replace("010211", "0100")), 48, "point_of_initiation_method", 6, id="method empty"),
    pytest.param(seal(STATIC.replace("010211", "0103111")), 17, "point_of_initiation_method", 6, id="method too long"),
    pytest.param(seal(STATIC_HEAD + RIEL + PLACE), 5, "bakong_account_id", None, id="no account"),
    pytest.param(seal(STATIC.replace("52045999", "")), 25, "merchant_category_code", None, id="no category"),
    pytest.param(seal(STATIC.replace("52045999", "5200")), 25, "merchant_category_code", 30, id="category empty"),
    pytest.param(
        seal(STATIC.replace("52045999", "520559999")),
        18, "merchant_category_code", 30, id="category too long",
    ),
    pytest.param(
        seal(STATIC.replace("52045999", "52045A99")),
        51, "merchant_category_code", 30, id="category not a number",
    ),
    pytest.param(seal(STATIC.replace("5303116", "")), 9, "currency", None, id="no currency"),
    pytest.param(seal(STATIC.replace("5303116", "5300")), 9, "currency", 38, id="currency empty"),
    pytest.param(seal(STATIC.replace("5303116", "53040116")), 19, "currency", 38, id="currency too long"),
    pytest.param(seal(STATIC.replace("5303116", "5303764")), 28, "currency", 38, id="baht"),
    pytest.param(seal(STATIC.replace("5303116", "5302KH")), 28, "currency", 38, id="letters for a currency"),
    pytest.param(seal(STATIC.replace("5802KH", "")), 26, "country_code", None, id="no country"),
    pytest.param(seal(STATIC.replace("5802KH", "5800")), 26, "country_code", 45, id="country empty"),
    pytest.param(seal(STATIC.replace("5802KH", "5804KHMR")), 20, "country_code", 45, id="country too long"),
    pytest.param(seal(STATIC.replace("5802KH", "5802XX")), 1008, "country_code", 45, id="another country"),
    pytest.param(seal(STATIC.replace(tlv("59", "Sokha Coffee"), "")), 2, "merchant_name", None, id="no name"),
    pytest.param(seal(STATIC.replace(tlv("59", "Sokha Coffee"), "5900")), 2, "merchant_name", 51, id="name empty"),
    pytest.param(seal(STATIC.replace("12Sokha Coffee", "26" + "N" * 26)), 7, "merchant_name", 51, id="name too long"),
    pytest.param(seal(STATIC.replace(tlv("60", "Phnom Penh"), "")), 27, "merchant_city", None, id="no city"),
    pytest.param(seal(STATIC.replace(tlv("60", "Phnom Penh"), "6000")), 27, "merchant_city", 67, id="city empty"),
    pytest.param(seal(STATIC.replace("10Phnom Penh", "16" + "C" * 16)), 21, "merchant_city", 67, id="city too long"),
    # The account.
    pytest.param(seal(STATIC.replace(ACCOUNT, "2900")), 1, "bakong_account_id", None, id="29 empty"),
    pytest.param(seal(STATIC.replace(ACCOUNT, "29040000")), 1, "bakong_account_id", 16, id="account ID empty"),
    pytest.param(seal(STATIC.replace("sokha@aclb", "sokha.aclb")), 3, "bakong_account_id", 16, id="account without @"),
    pytest.param(seal(STATIC.replace("sokha@aclb", "sokh@@aclb")), 3, "bakong_account_id", 16, id="account with two @"),
    pytest.param(
        seal(STATIC.replace("sokha@aclb", "@sokhaaclb")),
        3, "bakong_account_id", 16, id="account without name",
    ),
    pytest.param(
        seal(STATIC.replace(ACCOUNT, tlv("29", tlv("00", "a@" + "b" * 31)))),
        6, "bakong_account_id", 16, id="account ID too long",
    ),
    pytest.param(
        seal(STATIC.replace(ACCOUNT, tlv("29", "0003a@b" + tlv("01", "x" * 33)))),
        35, "account_information", 23, id="35",
    ),
    pytest.param(
        seal(STATIC.replace(ACCOUNT, tlv("29", "0003a@b" + tlv("02", "x" * 33)))),
        33, "acquiring_bank", 23, id="33",
    ),
    pytest.param(seal(merchant("0003a@b", "0201x")), 30, "merchant_id", None, id="no merchant ID"),
    pytest.param(seal(merchant("0003a@b", "0100", "0201x")), 30, "merchant_id", 23, id="merchant ID empty"),
    pytest.param(
        seal(merchant("0003a@b", tlv("01", "x" * 33), "0201x")),
        32, "merchant_id", 23, id="merchant ID too long",
    ),
    pytest.param(seal(merchant("0003a@b", "0101x")), 31, "acquiring_bank", None, id="no bank"),
    pytest.param(seal(merchant("0003a@b", "0101x", tlv("02", "x" * 33))), 33, "acquiring_bank", 28, id="bank too long"),
    # The additions.
    pytest.param(seal(STATIC + "62040100"), 10, "bill_number", 85, id="bill number empty"),
    pytest.param(seal(STATIC + tlv("62", tlv("01", "x" * 26))), 10, "bill_number", 85, id="bill number too long"),
    pytest.param(seal(STATIC + tlv("62", tlv("02", "x" * 26))), 34, "mobile_number", 85, id="mobile number too long"),
    pytest.param(seal(STATIC + tlv("62", tlv("03", "x" * 26))), 11, "store_label", 85, id="store label too long"),
    pytest.param(seal(STATIC + tlv("62", tlv("07", "x" * 26))), 12, "terminal_label", 85, id="terminal label too long"),
    pytest.param(
        seal(STATIC + tlv("62", tlv("08", "x" * 26))),
        42, "purpose_of_transaction", 85, id="purpose too long",
    ),
    pytest.param(
        seal(STATIC + tlv("64", "0002km")),
        39, "merchant_name_alternate_language", 81, id="a language without a name",
    ),
    pytest.param(
        seal(STATIC + tlv("64", "0201x")),
        39, "merchant_name_alternate_language", 81, id="a city without a name",
    ),
    pytest.param(seal(STATIC + tlv("64", "0101x")), 37, "language_preference", 81, id="a name without a language"),
    pytest.param(seal(STATIC + tlv("64", "0001k0101x")), 38, "language_preference", 85, id="a language of one letter"),
    pytest.param(
        seal(STATIC + tlv("64", "0002km" + tlv("01", "x" * 26))),
        40, "merchant_name_alternate_language", 91, id="40",
    ),
    pytest.param(
        seal(STATIC + tlv("64", "0002km0101x" + tlv("02", "x" * 16))),
        41, "merchant_city_alternate_language", 96, id="41",
    ),
    pytest.param(
        seal(STATIC.replace(ACCOUNT, "1500" + ACCOUNT)),
        43, "upi_account_information", 12, id="UnionPay empty",
    ),
    pytest.param(
        seal(DYNAMIC.replace(ACCOUNT, "1501x" + ACCOUNT)),
        44, "upi_account_information", 12, id="UnionPay in dollars",
    ),
    # Money and time.
    pytest.param(seal(DYNAMIC.replace(tlv("54", "2.50"), "")), 47, "amount", None, id="dynamic without an amount"),
    pytest.param(seal(dollars("")), 4, "amount", 45, id="amount empty"),
    pytest.param(seal(dollars("0")), 4, "amount", 45, id="amount 0"),
    pytest.param(seal(dollars("0.00")), 4, "amount", 45, id="amount 0.00"),
    pytest.param(seal(dollars("abc")), 4, "amount", 45, id="amount abc"),
    pytest.param(seal(dollars("nan")), 4, "amount", 45, id="amount nan"),
    pytest.param(seal(dollars("Infinity")), 4, "amount", 45, id="amount Infinity"),
    pytest.param(seal(dollars("1e3")), 4, "amount", 45, id="amount 1e3"),
    pytest.param(seal(dollars("-1")), 4, "amount", 45, id="amount -1"),
    pytest.param(seal(dollars("1,000")), 4, "amount", 45, id="amount 1,000"),
    pytest.param(seal(dollars("1.005")), 4, "amount", 45, id="amount 1.005"),
    pytest.param(seal(dollars("12345678901.00")), 4, "amount", 45, id="amount of 14 characters"),
    pytest.param(seal(dollars("1000.75").replace(DOLLARS, RIEL)), 4, "amount", 45, id="a fraction of a riel"),
    pytest.param(seal(timed("0013" + CREATED, "0110" + EXPIRES[:10])), 49, "expires_at", 110, id="expiry in seconds"),
    pytest.param(seal(timed("0010" + CREATED[:10], "0113" + EXPIRES)), 49, "created_at", 93, id="creation in seconds"),
    pytest.param(
        seal(timed("0013" + CREATED, "0115" + EXPIRES + ".5")),
        49, "expires_at", 110, id="a fractional expiry",
    ),
    pytest.param(seal(timed("0013" + CREATED, "0113" + "x" * 13)), 49, "expires_at", 110, id="letters for an expiry"),
    pytest.param(seal(timed("0013" + CREATED, "0113" + "0" * 13)), 49, "expires_at", 110, id="zeros for an expiry"),
    pytest.param(seal(timed("0013" + EXPIRES, "0113" + CREATED)), 50, "expires_at", 110, id="expiry before creation"),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "code", "field", "offset"), FAULTS)
def test_a_fault_is_found_with_its_code_its_field_and_its_place(
    payload: str, code: int, field: str | None, offset: int | None
) -> None:
    verification = verify(payload, now=NOW)
    first = verification.problems[0]
    assert not verification
    assert (first.code, first.field, first.offset) == (code, field, offset)
    with pytest.raises(InvalidKHQR) as caught:
        KHQR.decode(payload)
    assert caught.value.code == verification.error_code
    assert inspect(payload, now=NOW).problems[0].code == verification.error_code


def test_every_problem_is_listed_in_the_official_order() -> None:
    payload = DYNAMIC.replace("5802KH", "5802XX").replace(tlv("54", "2.50"), "").replace(TIMES, "")
    payload = payload.replace(tlv("60", "Phnom Penh"), "").replace("sokha@aclb", "sokha.aclb") + "63040000"
    assert [int(problem.code) for problem in verify(payload, now=NOW).problems] == [8, 47, 45, 27, 3, 1008]
    assert verify(payload).error_code == ErrorCode.KHQR_INVALID


def test_a_checksum_that_is_not_last_is_named_with_its_place() -> None:
    problems = verify(STATIC + "6304ABCD" + tlv("61", "12000")).problems
    assert [(int(one.code), one.offset) for one in problems] == [(24, None), (1009, len(STATIC))]


def test_what_may_stand_in_the_unreadable_part_is_not_called_missing() -> None:
    assert [int(problem.code) for problem in verify(seal(STATIC_HEAD + "29zz")).problems] == [1001]


def test_a_problem_tells_the_length_and_the_limit() -> None:
    (problem,) = verify(seal(STATIC + tlv("62", tlv("01", "x" * 26)))).problems
    assert (problem.length, problem.limit) == (26, 25)
    assert "bill_number" in str(problem)
    assert "26 characters; it may have 1 to 25" in str(problem)
    for amount in ("0", "0.00", "1.001", "abc"):
        (problem,) = verify(seal(dollars(amount)), now=NOW).problems
        assert (problem.code, problem.length, problem.limit) == (4, len(amount), 13)


def test_a_payload_that_is_too_long_is_read_all_the_same() -> None:
    fields = "".join(tlv(f"{number}", "x" * 99) for number in range(26, 29))
    payload = seal(STATIC.replace("5802KH", "5802TH") + fields + tlv("59", "x" * 26) + tlv("80", "x" * 99))
    too_long, *others = verify(payload).problems
    assert (too_long.code, too_long.length, too_long.limit) == (1004, len(payload), 512)
    assert sorted(int(problem.code) for problem in others) == [7, 1002, 1008]
    assert [int(one.code) for one in verify("9" * 1025).problems] == [1004], "but not when it is longer than two"


LET_PASS = [
    pytest.param(seal(STATIC), id="the smallest static code"),
    pytest.param(seal(STATIC)[:-4] + seal(STATIC)[-4:].lower(), id="a checksum in lower case"),
    pytest.param(seal(STATIC.replace("010211", "")), id="no point of initiation method"),
    pytest.param(seal("010211" + "000201" + ACCOUNT + RIEL + PLACE), id="00 not first"),
    pytest.param(seal(STATIC_HEAD + PLACE + RIEL + ACCOUNT), id="another order"),
    pytest.param(seal(STATIC + tlv("99", tlv("00", "39CA026411FDA"))), id="ABA's 99 on a static code"),
    pytest.param(
        seal(STATIC + tlv("99", tlv("00", CREATED) + tlv("01", "1"))),
        id="an expiry on a static code isn't judged",
    ),
    pytest.param(seal(STATIC_HEAD + ACCOUNT + RIEL + "54010" + PLACE + TIMES), id="amount 0 on a static code"),
    pytest.param(seal(STATIC_HEAD + ACCOUNT + RIEL + "5403100" + PLACE + TIMES), id="an amount on a static code"),
    pytest.param(seal(STATIC + "6200"), id="an empty template"),
    pytest.param(seal(STATIC + tlv("40", "abaP2P") + tlv("55", "01") + "8000"), id="data objects of others"),
    pytest.param(seal(STATIC + tlv("62", tlv("68", "not nested") + tlv("01", "x"))), id="PayWay's 62.68 as text"),
    pytest.param(seal(STATIC + tlv("62", tlv("05", "") + tlv("01", "x"))), id="an empty data object of others"),
    pytest.param(
        seal(STATIC.replace(tlv("59", "Sokha Coffee"), tlv("59", "ហាងកាហ្វេ\u200b១"))),
        id="Khmer with a zero width space",
    ),
    pytest.param(seal(STATIC.replace("12Sokha Coffee", "04Café")), id="an accent"),
    pytest.param(seal(dollars("50000.0").replace(DOLLARS, RIEL)), id="riel with a zero behind the point"),
    pytest.param(seal(dollars("002.5")), id="zeros before the amount"),
    pytest.param(seal(timed("0113" + EXPIRES)), id="no creation"),
    pytest.param(seal(timed("0013" + EXPIRES, "0113" + EXPIRES)), id="expiry at creation"),
]  # fmt: skip


@pytest.mark.parametrize("payload", LET_PASS)
def test_what_is_no_fault_is_let_pass_and_kept_to_the_letter(payload: str) -> None:
    assert verify(payload, now=NOW)
    khqr = KHQR.decode(payload)
    assert khqr.payload == payload
    assert emv.build(khqr.data_objects) == payload
    assert khqr.md5 == KHQR.decode(payload).md5


@pytest.mark.parametrize(
    ("payload", "md5", "created_at"),
    [
        (
            (
                "00020101021229180014jonhsmith@nbcq52045999530311654035005802KH5910Jonh Smith6010PHNOM PENH"
                "99170013173949577872263046894"
            ),
            "b1c250304b8594e4c6b53dd44791b57a",
            datetime(2025, 2, 14, 1, 16, 18, 722_000, tzinfo=UTC),
        ),
        (
            (
                "00020101021130400014jonhsmith@nbcq01061234560208Dev Bank5204599953031165802KH5910Jonh Smith"
                "6009Siem Reap6215021185512345678991700131739495778722630433E1"
            ),
            "c0d2d74726f8e887f37a585cda3b3a79",
            None,
        ),
    ],
)
def test_a_code_from_before_expiry_was_required_decodes_to_the_md5_that_bakong_knows(
    payload: str, md5: str, created_at: datetime | None
) -> None:
    khqr = KHQR.decode(payload)
    assert (khqr.md5, khqr.created_at, khqr.expires_at) == (md5, created_at, None)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (seal(DYNAMIC.replace(TIMES, "")), 45),
        (seal(timed("0013" + CREATED)), 45),
        (seal(timed("0013" + CREATED, "0100")), 45),
    ],
)
def test_a_missing_expiry_is_found_and_yet_decoded(payload: str, code: int) -> None:
    assert [int(problem.code) for problem in verify(payload, now=NOW).problems] == [code]
    assert KHQR.decode(payload).expires_at is None


def test_a_code_is_expired_after_its_last_millisecond_and_still_decodes() -> None:
    last = datetime(2025, 11, 24, 16, 10, tzinfo=UTC)
    payload = seal(DYNAMIC)
    assert verify(payload, now=last)
    expired = verify(payload, now=last.replace(microsecond=1))
    assert expired.error_code == ErrorCode.KHQR_EXPIRED
    assert expired.problems[0].offset == payload.index("0113" + EXPIRES)
    assert KHQR.decode(payload).amount == Decimal("2.50")
    assert verify(payload).error_code == ErrorCode.KHQR_EXPIRED


def test_decoding_gives_every_field() -> None:
    khqr = KHQR.decode(seal(DYNAMIC))
    expected = {
        "payload": seal(DYNAMIC),
        "kind": "individual",
        "point_of_initiation_method": "12",
        "bakong_account_id": "sokha@aclb",
        "merchant_category_code": "5999",
        "currency": "USD",
        "amount": Decimal("2.50"),
        "merchant_name": "Sokha Coffee",
        "merchant_city": "Phnom Penh",
        "created_at": NOW,
        "expires_at": datetime(2025, 11, 24, 16, 10, tzinfo=UTC),
    }
    assert {name: value for name, value in attrs.asdict(khqr).items() if value is not None} == expected
    assert (khqr.payload_format_indicator, khqr.country_code, khqr.crc) == ("01", "KH", seal(DYNAMIC)[-4:])


@pytest.mark.parametrize("other", [None, b"000201", 1, ["000201"]])
def test_a_payload_that_is_no_text_is_a_type_error(other: object) -> None:
    functions: list[Callable[[Any], object]] = [KHQR.decode, verify, inspect, emv.parse]
    for function in functions:
        with pytest.raises(TypeError, match="payload"):
            function(other)


def test_a_now_without_a_zone_is_a_value_error_and_one_that_is_no_datetime_a_type_error() -> None:
    functions: list[Callable[[str, Any], object]] = [verify, inspect]
    for function in functions:
        with pytest.raises(TypeError, match="now must be an aware datetime, not int"):
            function(seal(STATIC), 1_764_000_000_000)
        with pytest.raises(ValueError, match="time zone"):
            function(seal(STATIC), datetime(2026, 1, 1))  # noqa: DTZ001 - that is the fault
