"""Whatever fields a code is made from, decoding its payload gives them back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from bakong_khqr import KHQR, InvalidKHQR, emv, verify
from bakong_khqr.money import Currency, format_amount, read_amount, write_amount
from bakong_khqr.payload._alphabet import Alphabet, first_refused

CHARACTERS = st.characters(max_codepoint=0xFFFF).filter(lambda one: first_refused(Alphabet.TEXT, one) is None)


def text(most: int, *, least: int = 1) -> st.SearchStrategy[str]:
    return st.text(CHARACTERS, min_size=least, max_size=most)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


ACCOUNT_IDS = st.from_regex("[!-?A-~]{1,15}@[!-?A-~]{1,16}", fullmatch=True)
MOMENTS = st.datetimes(datetime(2001, 9, 10), datetime(2280, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone beside it
AMOUNTS = {
    "KHR": st.integers(1, 10**13 - 1),
    "USD": st.decimals("0.01", "9999999999.99", places=2, allow_nan=False),
}


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    currency = draw(st.sampled_from(["KHR", "USD"]))
    created_at = draw(MOMENTS)
    language = draw(st.booleans())
    return {
        "bakong_account_id": draw(ACCOUNT_IDS),
        "merchant_name": draw(text(25)),
        "merchant_city": draw(text(15)),
        "currency": currency,
        "amount": draw(maybe(AMOUNTS[currency])),
        "bill_number": draw(maybe(text(15))),
        "mobile_number": draw(maybe(text(15))),
        "store_label": draw(maybe(text(15))),
        "terminal_label": draw(maybe(text(15))),
        "purpose_of_transaction": draw(maybe(text(15))),
        "language_preference": draw(text(2, least=2)) if language else None,
        "merchant_name_alternate_language": draw(text(25)) if language else None,
        "merchant_city_alternate_language": draw(maybe(text(15))) if language else None,
        "upi_account_information": draw(maybe(text(99))) if currency == "KHR" else None,
        "merchant_category_code": draw(st.from_regex("[0-9]{4}", fullmatch=True)),
        "created_at": created_at,
        "expires_at": created_at + draw(st.timedeltas(timedelta(0), timedelta(days=90))),
    }


def the_same_comes_back(khqr: KHQR, given_fields: dict[str, Any]) -> None:
    decoded = KHQR.decode(khqr.payload)
    assert decoded == khqr
    assert attrs.asdict(decoded) == attrs.asdict(khqr)
    assert emv.build(decoded.data_objects) == khqr.payload
    assert len(khqr.payload) <= 512
    times = ("created_at", "expires_at")
    for name, value in given_fields.items():
        if name not in times:
            assert getattr(decoded, name) == value
        elif khqr.is_static:
            assert getattr(decoded, name) is None
        else:
            assert getattr(decoded, name) == value.replace(microsecond=value.microsecond // 1000 * 1000)
    assert verify(khqr.payload, now=decoded.created_at)


@settings(max_examples=100, deadline=None)
@given(fields(), maybe(text(25)), maybe(text(20)))
def test_every_field_of_an_individuals_code_comes_back(
    given_fields: dict[str, Any], account_information: str | None, acquiring_bank: str | None
) -> None:
    given_fields |= {"account_information": account_information, "acquiring_bank": acquiring_bank}
    the_same_comes_back(KHQR.individual(**given_fields), given_fields)


@settings(max_examples=100, deadline=None)
@given(fields(), text(25), text(20))
def test_every_field_of_a_merchants_code_comes_back(
    given_fields: dict[str, Any], merchant_id: str, acquiring_bank: str
) -> None:
    given_fields |= {"merchant_id": merchant_id, "acquiring_bank": acquiring_bank}
    the_same_comes_back(KHQR.merchant(**given_fields), given_fields)


@settings(max_examples=200, deadline=None)
@given(st.decimals() | st.text("0123456789.", max_size=20) | st.integers(), st.sampled_from(Currency))
def test_an_amount_is_written_exactly_or_refused(amount: Any, currency: Currency) -> None:
    try:
        written = write_amount(amount, currency)
    except InvalidKHQR:
        return  # which are refused, and how, is a table in test_made_codes.py
    if written is None:
        assert Decimal(amount) == 0
    else:
        assert read_amount(written, currency) == Decimal(amount) > 0
        assert write_amount(written, currency) == written
        assert len(written) <= 13


@given(st.integers(1, 10**13 - 1))
def test_an_amount_for_people_has_thousands_and_its_currencys_decimals(units: int) -> None:
    assert format_amount(Decimal(units), Currency.KHR) == f"៛ {units:,}"
    dollars, cents = divmod(units, 100)
    assert format_amount(Decimal(units).scaleb(-2), Currency.USD) == f"$ {dollars:,}.{cents:02}"
