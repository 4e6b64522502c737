"""Fields to payload: every field checked, in the order in which the official SDK writes and judges them.

The official numbers come first fault first: 15, the account, 52, 53, UnionPay beside dollars (44), 54, 59, 60, 62,
64, and the timestamps last.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from time import time_ns
from types import NoneType
from typing import Any, cast

from bakong_khqr.account import ACCOUNTS, Kind
from bakong_khqr.additional_data import ADDITIONAL_DATA, LANGUAGE, language_fault
from bakong_khqr.emv.characters import character_fault, exact, refused_character
from bakong_khqr.emv.crc import crc16
from bakong_khqr.errors import InvalidKHQR
from bakong_khqr.fields import (
    DYNAMIC,
    MERCHANT_CATEGORY_CODE,
    MERCHANT_CITY,
    MERCHANT_NAME,
    STATIC,
    UNION_PAY,
    Fields,
    union_pay_fault,
)
from bakong_khqr.money import Currency, read_currency, write_amount
from bakong_khqr.timestamp import (
    duration_milliseconds,
    missing_fault,
    to_datetime,
    to_milliseconds,
    write_timestamps,
)

# What fields usually are. A text of any other class is made plain: f-strings would ask it for its `__format__`.
_EXACT = frozenset({str, NoneType, Currency, Decimal, int, datetime})


def encode(kind: Kind, given: Mapping[str, Any], expires_in: timedelta | None) -> Fields:
    """Return the payload of a KHQR and its fields as they were written.

    `given` has every other parameter of `KHQR.individual` or `KHQR.merchant` by name. Raises what they raise.
    """
    if not _EXACT.issuperset(map(type, given.values())):
        given = {name: exact(value) for name, value in given.items()}
    union_pay = UNION_PAY.write(given["upi_account_information"])
    account = ACCOUNTS[kind].write(given)
    category = MERCHANT_CATEGORY_CODE.write(given["merchant_category_code"])
    currency = read_currency(given["currency"])
    if union_pay and currency is Currency.USD:
        raise union_pay_fault()
    amount = write_amount(given["amount"], currency)
    name = MERCHANT_NAME.write(given["merchant_name"])
    city = MERCHANT_CITY.write(given["merchant_city"])
    additional_data = ADDITIONAL_DATA.write(given)
    language = _language(given)
    created_ms, expires_ms = _moments(given["created_at"], given["expires_at"], expires_in)
    if amount is None:
        method, amount_object, timestamps = STATIC, "", ""
        created_at = expires_at = None
    else:
        if expires_ms is None:
            raise missing_fault()
        method, amount_object = DYNAMIC, f"54{len(amount):02}{amount}"
        timestamps = write_timestamps(created_ms, expires_ms)
        created_at, expires_at = to_datetime(created_ms), to_datetime(expires_ms)
    text = (
        f"0002010102{method}{union_pay}{account}{category}5303{currency.numeric_code}{amount_object}5802KH"
        f"{name}{city}{additional_data}{language}{timestamps}6304"
    )
    if refused_character(text) is not None:
        raise _refused_field(given)
    written = {
        "payload": text + crc16(text),
        "kind": kind,
        "point_of_initiation_method": method,
        "currency": currency,
        "amount": None if amount is None else Decimal(amount),
        "created_at": created_at,
        "expires_at": expires_at,
    }
    return cast("Fields", {"account_information": None, "merchant_id": None, **given, **written})


def _language(given: Mapping[str, Any]) -> str:
    preference = given["language_preference"]
    name, city = given["merchant_name_alternate_language"], given["merchant_city_alternate_language"]
    if preference is name is city is None:
        return ""
    for field, value in (("language_preference", preference), ("merchant_city_alternate_language", city)):
        if not isinstance(value, str | None):
            raise TypeError(f"{field} must be a str, not {type(value).__name__}")
    if (fault := language_fault(preference, name, city)) is not None:
        raise fault
    return LANGUAGE.write(given)


def _moments(
    created_at: datetime | int | None, expires_at: datetime | int | None, expires_in: timedelta | None
) -> tuple[int, int | None]:
    """Return creation and expiry in milliseconds. Creation is the present unless given; a static code uses neither."""
    created_ms = time_ns() // 1_000_000 if created_at is None else to_milliseconds("created_at", created_at)
    if expires_in is None:
        return created_ms, None if expires_at is None else to_milliseconds("expires_at", expires_at)
    if expires_at is not None:
        raise ValueError("expires_at and expires_in are both given: pass one of them")
    return created_ms, created_ms + duration_milliseconds("expires_in", expires_in)


def _refused_field(given: Mapping[str, Any]) -> InvalidKHQR:
    """Return the error for the first field that holds a refused character; the whole text was searched at once."""
    texts = ((name, value) for name, value in given.items() if isinstance(value, str))
    name, value, at = next((name, value, at) for name, value in texts if (at := refused_character(value)) is not None)
    return character_fault(value, at, field=name)
