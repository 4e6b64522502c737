"""`KHQR.individual` and `KHQR.merchant`: what they write, what they drop, and what they refuse."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from enum import Enum
from typing import Any

import attrs
import pytest

from bakong_khqr import KHQR, Currency, ErrorCode, InvalidKHQR

NOW_MS = 1_764_000_000_000
LEAST: dict[str, Any] = {"bakong_account_id": "sokha@aclb", "merchant_name": "Sokha Coffee"}
MERCHANT: dict[str, Any] = {**LEAST, "merchant_id": "123456", "acquiring_bank": "Dev Bank"}
PAID: dict[str, Any] = {**LEAST, "created_at": NOW_MS, "expires_in": timedelta(minutes=10)}


@pytest.mark.parametrize(
    ("amount", "currency", "written", "kept"),
    [
        ("2.50", "USD", "2.50", "2.5"),
        ("2.5", "USD", "2.50", "2.5"),
        ("1.500", "USD", "1.50", "1.5"),
        ("10.00", "USD", "10", "10"),
        ("007.50", "USD", "7.50", "7.5"),
        ("0.01", "USD", "0.01", "0.01"),
        (Decimal("1E+3"), "USD", "1000", "1000"),
        (Decimal("1.10"), "USD", "1.10", "1.1"),
        (100, "USD", "100", "100"),
        ("9999999999.99", "USD", "9999999999.99", "9999999999.99"),
        ("50000.0", "KHR", "50000", "50000"),
        (Decimal("50000.000"), "KHR", "50000", "50000"),
        (9_999_999_999_999, "KHR", "9999999999999", "9999999999999"),
        ("1" + "." + "0" * 1000, "KHR", "1", "1"),
    ],
)
def test_an_amount_is_written_by_its_value(amount: Any, currency: str, written: str, kept: str) -> None:
    khqr = KHQR.individual(**PAID, amount=amount, currency=currency)
    assert f"54{len(written):02}{written}5802KH" in khqr.payload
    assert khqr.amount == Decimal(kept)


def test_an_amount_is_exact_under_any_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 2
        context.Emax = 3
        khqr = KHQR.individual(**PAID, amount="1234567.89", currency="USD")
        assert "541012345678" not in khqr.payload
        assert "54101234567.89" in khqr.payload
        assert KHQR.decode(khqr.payload) == khqr


@pytest.mark.parametrize("amount", [None, 0, "0", "0.00", Decimal(0), Decimal("-0.0"), Decimal("0E-999999999")])
def test_no_amount_and_an_amount_of_zero_are_a_static_code_without_times(amount: Any) -> None:
    khqr = KHQR.individual(**PAID, amount=amount)
    assert (khqr.amount, khqr.created_at, khqr.expires_at, khqr.is_static) == (None, None, None, True)
    assert khqr.payload.startswith("000201010211")
    assert khqr == KHQR.individual(**LEAST)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("NaN", "USD"), ("nan", "USD"), ("Infinity", "USD"), ("inf", "KHR"), ("1e3", "USD"), ("1E+21", "KHR"),
        ("1,000", "USD"), ("0x10", "KHR"), ("-1", "USD"), ("+1", "USD"), (" 1", "USD"), ("1 ", "USD"), ("", "USD"),
        (".5", "USD"), ("5.", "USD"), ("1.2.3", "USD"), ("abc", "USD"), ("១០០", "KHR"), ("１０", "KHR"),
        ("1_000", "KHR"), ("1\n", "KHR"), ("1.001", "USD"), ("0.001", "USD"), ("1000.75", "KHR"), ("0.5", "KHR"),
        ("10000000000000", "KHR"), ("99999999999.99", "USD"), (10**13, "KHR"), (-1, "KHR"),
        pytest.param(10**5000, "KHR", id="5000 digits"),
        (Decimal("NaN"), "USD"), (Decimal("sNaN"), "USD"), (Decimal("Infinity"), "USD"), (Decimal("-5"), "USD"),
        (Decimal("1E+999999999"), "USD"), (Decimal("1E-999999999"), "USD"), (Decimal("0.005"), "USD"),
        (Decimal("1000.75"), "KHR"), ("1." + "0" * 40 + "1", "USD"),
    ],
)  # fmt: skip
def test_what_is_no_amount_of_the_currency_is_code_4(amount: Any, currency: str) -> None:
    with pytest.raises(InvalidKHQR, match=r"^amount") as caught:
        KHQR.individual(**PAID, amount=amount, currency=currency)
    error = caught.value
    assert (error.code, error.field, error.limit) == (ErrorCode.TRANSACTION_AMOUNT_INVALID, "amount", 13)


@pytest.mark.parametrize(
    ("amount", "length", "limit"),
    [
        ("NaN", 3, 13), ("1e3", 3, 13), ("-1", 2, 13), (-1, 2, 13), ("1.5", 3, 13), (Decimal("1.5"), 3, 13),
        ("", 0, 13), ("010000000000000", 14, 13), (10**14, 15, 13), (Decimal("1E+20"), 21, 13),
        pytest.param("0" * 20_000_000, 20_000_000, 1024, id="zeros"),
    ],
)  # fmt: skip
def test_a_refused_amount_tells_its_length_and_the_limit(amount: Any, length: int, limit: int) -> None:
    with pytest.raises(InvalidKHQR) as caught:
        KHQR.individual(**PAID, amount=amount)
    assert (caught.value.length, caught.value.limit) == (length, limit)


@pytest.mark.parametrize("number", [10**5000, -(10**5000), 10**200], ids=["large", "negative", "writable"])
@pytest.mark.parametrize(("field", "code"), [("currency", 28), ("amount", 4), ("created_at", 49), ("expires_at", 49)])
def test_a_number_too_large_to_be_written_is_our_error(field: str, code: int, number: int) -> None:
    with pytest.raises(InvalidKHQR, match=r"an int of [0-9]+ bits") as caught:
        KHQR.individual(**LEAST | {"amount": 1, "expires_at": NOW_MS} | {field: number})
    assert (caught.value.code, caught.value.field) == (code, field)


@pytest.mark.parametrize(
    ("changed", "code", "field", "length", "limit"),
    [
        ({"bakong_account_id": ""}, 1, "bakong_account_id", None, None),
        ({"bakong_account_id": "a" * 28 + "@aclb"}, 6, "bakong_account_id", 33, 32),
        ({"bakong_account_id": "sokha"}, 3, "bakong_account_id", 5, 32),
        ({"bakong_account_id": "@"}, 3, "bakong_account_id", 1, 32),
        ({"bakong_account_id": "a@"}, 3, "bakong_account_id", 2, 32),
        ({"bakong_account_id": "@b"}, 3, "bakong_account_id", 2, 32),
        ({"bakong_account_id": "a@@b"}, 3, "bakong_account_id", 4, 32),
        ({"bakong_account_id": "a@b@c"}, 3, "bakong_account_id", 5, 32),
        ({"account_information": ""}, 35, "account_information", 0, 32),
        ({"account_information": "x" * 33}, 35, "account_information", 33, 32),
        ({"acquiring_bank": ""}, 33, "acquiring_bank", 0, 32),
        ({"acquiring_bank": "x" * 33}, 33, "acquiring_bank", 33, 32),
        ({"merchant_name": ""}, 2, "merchant_name", None, None),
        ({"merchant_name": "x" * 26}, 7, "merchant_name", 26, 25),
        ({"merchant_city": ""}, 27, "merchant_city", None, None),
        ({"merchant_city": "x" * 16}, 21, "merchant_city", 16, 15),
        ({"merchant_category_code": ""}, 25, "merchant_category_code", None, None),
        ({"merchant_category_code": "59999"}, 18, "merchant_category_code", 5, 4),
        ({"merchant_category_code": "5A99"}, 51, "merchant_category_code", 4, 4),
        ({"merchant_category_code": "៥៩៩៩"}, 51, "merchant_category_code", 4, 4),
        ({"currency": ""}, 9, "currency", None, None),
        ({"currency": "THB"}, 28, "currency", None, None),
        ({"currency": 978}, 28, "currency", None, None),
        ({"bill_number": ""}, 10, "bill_number", 0, 25),
        ({"bill_number": "x" * 26}, 10, "bill_number", 26, 25),
        ({"mobile_number": "1" * 26}, 34, "mobile_number", 26, 25),
        ({"store_label": "x" * 26}, 11, "store_label", 26, 25),
        ({"terminal_label": "x" * 26}, 12, "terminal_label", 26, 25),
        ({"purpose_of_transaction": "x" * 26}, 42, "purpose_of_transaction", 26, 25),
        ({"language_preference": "km"}, 39, "merchant_name_alternate_language", None, None),
        ({"merchant_city_alternate_language": "ភ្នំពេញ"}, 39, "merchant_name_alternate_language", None, None),
        ({"merchant_name_alternate_language": "សុខា"}, 37, "language_preference", None, None),
        ({"language_preference": "k", "merchant_name_alternate_language": "សុខា"}, 38, "language_preference", 1, 2),
        ({"language_preference": "khm", "merchant_name_alternate_language": "x"}, 38, "language_preference", 3, 2),
        (
            {"language_preference": "km", "merchant_name_alternate_language": ""},
            40, "merchant_name_alternate_language", 0, 25,
        ),
        (
            {"language_preference": "km", "merchant_name_alternate_language": "x" * 26},
            40, "merchant_name_alternate_language", 26, 25,
        ),
        (
            {
                "language_preference": "km",
                "merchant_name_alternate_language": "x",
                "merchant_city_alternate_language": "x" * 16,
            },
            41, "merchant_city_alternate_language", 16, 15,
        ),
        ({"upi_account_information": ""}, 43, "upi_account_information", 0, 99),
        ({"upi_account_information": "x" * 100}, 43, "upi_account_information", 100, 99),
        ({"upi_account_information": "x", "currency": "USD"}, 44, "upi_account_information", None, None),
        ({"amount": 1}, 45, "expires_at", None, None),
        ({"amount": 1, "created_at": NOW_MS, "expires_at": NOW_MS - 1}, 50, "expires_at", None, None),
        ({"amount": 1, "created_at": NOW_MS, "expires_in": timedelta(minutes=-1)}, 50, "expires_at", None, None),
        ({"amount": 1, "expires_at": NOW_MS // 1000}, 49, "expires_at", 10, 13),
        ({"amount": 1, "created_at": NOW_MS // 1000, "expires_at": NOW_MS}, 49, "created_at", 10, 13),
        ({"amount": 1, "expires_at": 10**13}, 49, "expires_at", 14, 13),
        ({"amount": 1, "expires_in": timedelta.max}, 49, "expires_at", 17, 13),
        ({"amount": 1, "expires_at": datetime(1990, 1, 1, tzinfo=UTC)}, 49, "expires_at", 12, 13),
        (
            {"bill_number": "x" * 25, "mobile_number": "x" * 25, "store_label": "x" * 25, "terminal_label": "x" * 25},
            1003, "additional_data", 116, 99,
        ),
        (
            {"bakong_account_id": "a" * 27 + "@aclb", "account_information": "x" * 32, "acquiring_bank": "x" * 32},
            1003, "individual_account", 108, 99,
        ),
        ({"merchant_name": "Sok\x00ha"}, 1005, "merchant_name", None, None),
        ({"merchant_city": "Phnom\nPenh"}, 1005, "merchant_city", None, None),
        ({"bill_number": "INV\x85"}, 1005, "bill_number", None, None),
        ({"store_label": "☕😀"}, 1005, "store_label", None, None),
        ({"terminal_label": "\ud800"}, 1005, "terminal_label", None, None),
        ({"bakong_account_id": "so\x7fkha@aclb"}, 1005, "bakong_account_id", None, None),
    ],
)  # fmt: skip
def test_a_field_that_breaks_a_rule_is_named_with_its_code(
    changed: dict[str, Any], code: int, field: str, length: int | None, limit: int | None
) -> None:
    with pytest.raises(InvalidKHQR) as caught:
        KHQR.individual(**LEAST | changed)
    error = caught.value
    assert (error.code, error.field, error.length, error.limit) == (code, field, length, limit)
    assert (error.offset is not None) == (code in (51, 1005)), "the place of a refused character, and nothing else"
    assert field in str(error)


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"merchant_id": ""}, 30, "merchant_id"),
        ({"merchant_id": "x" * 33}, 32, "merchant_id"),
        ({"acquiring_bank": ""}, 31, "acquiring_bank"),
        ({"acquiring_bank": "x" * 33}, 33, "acquiring_bank"),
        (
            {"merchant_id": "x" * 32, "acquiring_bank": "y" * 32, "bakong_account_id": "a@" + "b" * 30},
            1003, "merchant_account",
        ),
    ],
)  # fmt: skip
def test_a_merchants_own_fields_have_their_codes(changed: dict[str, Any], code: int, field: str) -> None:
    with pytest.raises(InvalidKHQR) as caught:
        KHQR.merchant(**MERCHANT | changed)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_a_template_that_is_too_long_is_named_with_its_size_and_its_fields() -> None:
    labels: dict[str, Any] = dict.fromkeys(("bill_number", "store_label", "terminal_label"), "x" * 25)
    with pytest.raises(InvalidKHQR, match=r"additional_data \(template 62\) has 100 .*bill_number 25.*at most 99"):
        KHQR.individual(**LEAST, **labels, mobile_number="1" * 9)
    fits = KHQR.individual(**LEAST, **labels, mobile_number="1" * 8)
    assert "6299" in fits.payload
    assert KHQR.decode(fits.payload) == fits


def test_the_first_fault_in_the_order_of_the_data_objects_is_reported_and_times_come_last() -> None:
    everything = {
        "amount": 1,
        "expires_at": 5,
        "bill_number": "",
        "merchant_name": "",
        "currency": "THB",
        "upi_account_information": "",
    }
    order = []
    while everything:
        with pytest.raises(InvalidKHQR) as caught:
            KHQR.individual(**LEAST | everything)
        order.append(int(caught.value.code))
        del everything[next(name for name in everything if name == caught.value.field)]
        if caught.value.field == "expires_at":
            break
    assert order == [43, 28, 2, 10, 49]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"amount": 2.5}, r'amount must be a Decimal, int or str such as "2.50", not float'),
        ({"amount": float("nan")}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": b"1"}, "amount"),
        ({"currency": None}, "currency"),
        ({"currency": 840.0}, "currency"),
        ({"currency": True}, "currency"),
        ({"bakong_account_id": None}, "bakong_account_id"),
        ({"merchant_name": None}, "merchant_name"),
        ({"merchant_name": b"Sokha"}, "merchant_name"),
        ({"merchant_city": None}, "merchant_city"),
        ({"merchant_category_code": 5999}, "merchant_category_code"),
        ({"merchant_category_code": None}, "merchant_category_code"),
        ({"bill_number": 42}, "bill_number"),
        ({"language_preference": 1, "merchant_name_alternate_language": "x"}, "language_preference"),
        ({"language_preference": b"km"}, "language_preference"),
        ({"merchant_city_alternate_language": 1}, "merchant_city_alternate_language"),
        ({"created_at": 1.5e12}, "created_at"),
        ({"expires_at": "2026-01-01"}, "expires_at"),
        ({"expires_at": True}, "expires_at"),
        ({"expires_in": 600}, "expires_in"),
        ({"expires_in": 600, "amount": 1}, "expires_in"),
    ],
)
def test_a_wrong_type_is_a_type_error_that_names_the_field(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(TypeError, match=told):
        KHQR.individual(**LEAST | changed)


def test_a_time_without_a_zone_is_a_value_error_and_two_expiries_are_one_too_many() -> None:
    with pytest.raises(ValueError, match="expires_at 2026-01-01T00:00:00 has no time zone"):
        KHQR.individual(**LEAST, amount=1, expires_at=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the fault
    with pytest.raises(ValueError, match="both given"):
        KHQR.individual(**LEAST, amount=1, expires_at=NOW_MS, expires_in=timedelta(minutes=1))


def test_times_are_cut_to_milliseconds_and_come_back_in_utc() -> None:
    phnom_penh = timezone(timedelta(hours=7))
    khqr = KHQR.individual(
        **LEAST,
        amount=1,
        created_at=datetime(2026, 1, 1, 7, 0, 0, 999_999, tzinfo=phnom_penh),
        expires_in=timedelta(minutes=10, microseconds=1500),
    )
    assert khqr.created_at == datetime(2026, 1, 1, 0, 0, 0, 999_000, tzinfo=UTC)
    assert khqr.expires_at == datetime(2026, 1, 1, 0, 10, 1, 0, tzinfo=UTC)
    assert khqr.created_at.tzinfo is UTC


def test_a_code_made_now_was_created_now() -> None:
    before = datetime.now(UTC)
    khqr = KHQR.individual(**LEAST, amount=1, expires_in=timedelta(minutes=10))
    assert khqr.created_at is not None
    # Another test may have taken this very millisecond: the code then carries the next one that is free.
    assert before - timedelta(milliseconds=1) < khqr.created_at <= datetime.now(UTC) + timedelta(milliseconds=5)
    assert khqr.expires_at == khqr.created_at + timedelta(minutes=10)


def test_a_code_expires_after_its_last_millisecond() -> None:
    khqr = KHQR.individual(**PAID, amount=1)
    assert khqr.expires_at is not None
    assert not khqr.is_expired(khqr.expires_at)
    assert khqr.is_expired(khqr.expires_at + timedelta(milliseconds=1))
    assert not KHQR.individual(**LEAST).is_expired(datetime.max.replace(tzinfo=UTC))
    with pytest.raises(ValueError, match="time zone"):
        khqr.is_expired(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the fault


@pytest.mark.parametrize("value", ["USD", 840, Currency.USD])
def test_a_currency_may_be_given_in_letters_or_by_number(value: Any) -> None:
    assert KHQR.individual(**LEAST, currency=value).currency is Currency.USD
    assert Currency(value) is Currency.USD


@pytest.mark.parametrize("value", ["THB", 764, 840.0, None, ""])
def test_there_are_no_other_currencies(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid Currency"):
        Currency(value)


def test_riel_is_the_currency_and_phnom_penh_the_city_unless_told_otherwise() -> None:
    khqr = KHQR.individual(**LEAST)
    assert (khqr.currency, khqr.merchant_city, khqr.merchant_category_code) == (Currency.KHR, "Phnom Penh", "5999")


def test_a_khqr_is_a_value() -> None:
    one, other = KHQR.individual(**PAID, amount=1), KHQR.individual(**PAID, amount="1.0")
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other, KHQR.individual(**LEAST)}) == 2
    assert one != one.payload
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.amount = Decimal(2)  # type: ignore[misc]  # that is what is refused
    for copied in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
        assert attrs.asdict(copied) == attrs.asdict(one)
    assert repr(one) == f"<KHQR individual sokha@aclb 1 KHR md5={one.md5}>"


def test_a_khqr_is_only_made_where_its_fields_are_checked() -> None:
    with pytest.raises(TypeError, match=r"KHQR\.individual"):
        KHQR(payload="x", amount=Decimal(1))


class Shop(str, Enum):  # noqa: UP042 - a StrEnum would be its own text; this kind isn't, and is in wide use
    """Texts whose length is that of their value and whose f-string is that of their name."""

    ACCOUNT = "sokha@aclb"
    NAME = "Sokha Coffee"
    USD = "USD"
    PRICE = "2.50"
    PAYLOAD = "00020101021129140010sokha@aclb5204599953031165802KH5905Sokha6010Phnom Penh630467E6"


class Moment(int, Enum):
    """Numbers whose f-string is their name."""

    CREATED = NOW_MS
    EXPIRES = NOW_MS + 600_000
    AMOUNT = 10_000


def test_a_number_of_a_class_of_its_own_is_taken_for_its_number() -> None:
    given: dict[str, Any] = {"amount": Moment.AMOUNT, "created_at": Moment.CREATED, "expires_at": Moment.EXPIRES}
    plain: dict[str, Any] = {name: int(number) for name, number in given.items()}
    assert KHQR.individual(**LEAST, **given) == KHQR.individual(**LEAST, **plain)


def test_a_text_of_a_class_of_its_own_is_taken_for_its_text() -> None:
    khqr = KHQR.individual(
        bakong_account_id=Shop.ACCOUNT,
        merchant_name=Shop.NAME,
        currency=Shop.USD,
        amount=Shop.PRICE,
        created_at=NOW_MS,
        expires_at=NOW_MS + 600_000,
    )
    assert khqr == KHQR.decode(khqr.payload)
    assert (khqr.merchant_name, khqr.amount) == ("Sokha Coffee", Decimal("2.50"))
    assert {type(khqr.payload), type(khqr.bakong_account_id), type(khqr.merchant_name)} == {str}
    read = KHQR.decode(Shop.PAYLOAD)
    assert type(read.payload) is str
    assert {read, KHQR.decode(Shop.PAYLOAD.value)} == {read}


@pytest.mark.parametrize(
    ("make", "fields", "told"),
    [
        (
            KHQR.individual,
            {"bakong_account_id": "a@b", "merchant_nmae": "x"},
            "KHQR.individual has no field merchant_nmae",
        ),
        (
            KHQR.individual,
            {"bakong_account_id": "a@b", "merchant_name": "x", "merchant_id": "1"},
            "no field merchant_id",
        ),
        (KHQR.individual, {"merchant_city": "x"}, "KHQR.individual needs bakong_account_id and merchant_name"),
        (KHQR.merchant, LEAST, "KHQR.merchant needs acquiring_bank and merchant_id"),
    ],
)
def test_a_field_that_is_unknown_or_missing_is_a_type_error_that_names_it(
    make: Callable[..., KHQR], fields: dict[str, str], told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        make(**fields)
