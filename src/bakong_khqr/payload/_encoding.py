"""From fields to a payload: every field is checked, in the order in which the official SDK writes and checks them.

The official numbers come first fault first: 15, the account, 52, 53, UnionPay beside dollars (44), 54, 59, 60, 62,
64, and the timestamps last.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any

from bakong_khqr.emv.characters import exact
from bakong_khqr.emv.crc import crc16
from bakong_khqr.money import Currency, read_currency, write_amount
from bakong_khqr.payload._account import ACCOUNTS, Kind
from bakong_khqr.payload._additional_data import ADDITIONAL_DATA, LANGUAGE, language_fault
from bakong_khqr.payload._creation import next_ms
from bakong_khqr.payload._fields import (
    DYNAMIC,
    MERCHANT_CATEGORY_CODE,
    MERCHANT_CITY,
    MERCHANT_NAME,
    STATIC,
    TEXT_FIELDS,
    UNION_PAY,
    IndividualFields,
    MerchantFields,
    complete,
    union_pay_fault,
)
from bakong_khqr.payload._timestamp import (
    duration_milliseconds,
    missing_fault,
    to_datetime,
    to_milliseconds,
    write_timestamps,
)

# What fields usually are. A text of any other class is made plain: f-strings would ask it for its `__format__`.
_EXACT = frozenset({str, NoneType, Currency, Decimal, int, datetime})


def encode(kind: Kind, fields: IndividualFields | MerchantFields) -> dict[str, Any]:
    """Return the attributes of a `KHQR`: its payload, and its fields as they were written.

    Raises what `KHQR.individual` and `KHQR.merchant` raise.
    """
    given = complete(kind, fields)
    expires_in = given.pop("expires_in")
    if not _EXACT.issuperset(map(type, given.values())):
        given = {name: exact(value) for name, value in given.items()}
    union_pay = UNION_PAY.write(given["upi_account_information"])
    account = ACCOUNTS[kind].write(given)
    category = MERCHANT_CATEGORY_CODE.write(given["merchant_category_code"])
    currency = read_currency(given["currency"])
    if union_pay and currency is not Currency.KHR:
        raise union_pay_fault(currency)
    amount = write_amount(given["amount"], currency)
    name = MERCHANT_NAME.write(given["merchant_name"])
    city = MERCHANT_CITY.write(given["merchant_city"])
    additional_data = ADDITIONAL_DATA.write(given)
    language = _language(given)
    created_ms = None if given["created_at"] is None else to_milliseconds("created_at", given["created_at"])
    if amount is not None and created_ms is None:
        created_ms = next_ms()
    expires_ms = _expiry(created_ms, given["expires_at"], expires_in)
    if amount is None or created_ms is None:  # a static code uses no times
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
    if not (text.isascii() and text.isprintable()):  # the account, which takes less than that, was checked by its form
        for field in TEXT_FIELDS:
            if (value := given.get(field.name)) is not None:
                field.check_characters(value)
    written = {
        "payload": text + crc16(text),
        "kind": kind,
        "point_of_initiation_method": method,
        "currency": currency,
        "amount": None if amount is None else Decimal(amount),
        "created_at": created_at,
        "expires_at": expires_at,
    }
    return {"account_information": None, "merchant_id": None, **given, **written}


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


def _expiry(created_ms: int | None, expires_at: datetime | int | None, expires_in: timedelta | None) -> int | None:
    """Return the expiry in milliseconds; `None` if there is none."""
    if expires_in is None:
        return None if expires_at is None else to_milliseconds("expires_at", expires_at)
    if expires_at is not None:
        raise ValueError("expires_at and expires_in are both given: pass one of them")
    duration = duration_milliseconds("expires_in", expires_in)
    return None if created_ms is None else created_ms + duration
