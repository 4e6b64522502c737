"""The fields of a KHQR under their public names, and the rules of those outside any template.

`_encoding.py` writes a payload from these fields, and `_decoding.py` reads them out of one. Both obey the rules of
`TEXT_FIELDS`.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Required, TypedDict

from bakong_khqr.errors import ErrorCode, InvalidKHQR
from bakong_khqr.money import Currency
from bakong_khqr.payload._account import INDIVIDUAL, MERCHANT, Kind
from bakong_khqr.payload._additional_data import ADDITIONAL_DATA, LANGUAGE
from bakong_khqr.payload._alphabet import Alphabet
from bakong_khqr.payload._template import TextField

STATIC, DYNAMIC = "11", "12"

UNION_PAY = TextField("upi_account_information", ("15",), ErrorCode.UPI_ACCOUNT_INFORMATION_LENGTH_INVALID)
MERCHANT_CATEGORY_CODE = TextField(
    "merchant_category_code",
    ("52",),
    ErrorCode.MERCHANT_CODE_LENGTH_INVALID,
    required_code=ErrorCode.MERCHANT_CATEGORY_TAG_REQUIRED,
    pattern=re.compile("[0-9]+"),
    form="digits",
    form_code=ErrorCode.INVALID_MERCHANT_CATEGORY_CODE,
    alphabet=Alphabet.DIGITS,
)
MERCHANT_NAME = TextField(
    "merchant_name",
    ("59",),
    ErrorCode.MERCHANT_NAME_LENGTH_INVALID,
    required_code=ErrorCode.MERCHANT_NAME_REQUIRED,
    alphabet=Alphabet.KHMER_TEXT,
)
MERCHANT_CITY = TextField(
    "merchant_city",
    ("60",),
    ErrorCode.MERCHANT_CITY_LENGTH_INVALID,
    required_code=ErrorCode.MERCHANT_CITY_TAG_REQUIRED,
    alphabet=Alphabet.KHMER_TEXT,
)

TEXT_FIELDS = (
    UNION_PAY,
    *INDIVIDUAL.fields,
    *MERCHANT.fields,
    MERCHANT_CATEGORY_CODE,
    MERCHANT_NAME,
    MERCHANT_CITY,
    *ADDITIONAL_DATA.fields,
    *LANGUAGE.fields,
)
"""Every field that is text, in the order of writing, with its place, its length and its characters.
`docs/payloads.md` shows this table."""


class _CommonFields(TypedDict, total=False):
    """What `KHQR.individual` and `KHQR.merchant` both take. A field that is `None` or isn't given is left out."""

    bakong_account_id: Required[str]
    """The account that is paid, `name@bank`, at most 32 characters: `"sokha@aclb"`."""
    merchant_name: Required[str]
    """1 to 25 characters: `"Sokha Coffee"`."""
    merchant_city: str
    """1 to 15 characters; `"Phnom Penh"` by default."""
    merchant_category_code: str
    """ISO 18245, four digits; `"5999"` by default."""
    currency: Currency | str | int
    """`Currency.KHR`, the default, or `Currency.USD`; also `"KHR"`, `"USD"`, 116 or 840."""
    amount: Decimal | int | str | None
    """In units of the currency: `"2.50"` dollars, 10000 riel. Without one, or with 0, the payer enters it."""
    bill_number: str | None
    """1 to 25 characters, such as the number of the order: `"INV-0042"`."""
    mobile_number: str | None
    """1 to 25 characters: `"85512345678"`."""
    store_label: str | None
    """1 to 25 characters: `"BKK1"`."""
    terminal_label: str | None
    """1 to 25 characters: `"Counter 2"`."""
    purpose_of_transaction: str | None
    """1 to 25 characters: `"Coffee"`."""
    language_preference: str | None
    """The language of the two fields below, two letters of ISO 639: `"km"`."""
    merchant_name_alternate_language: str | None
    """The name in that language, 1 to 25 characters."""
    merchant_city_alternate_language: str | None
    """The city in that language, 1 to 15 characters."""
    upi_account_information: str | None
    """The UnionPay merchant account, 1 to 99 characters. It goes with riel only."""
    created_at: datetime | int | None
    """An aware `datetime`, or 13 digits of milliseconds since 1970; the present by default."""
    expires_at: datetime | int | None
    """Until when the code may be paid, as `created_at`. A code with an amount needs this or `expires_in`."""
    expires_in: timedelta | None
    """How long after its creation the code may be paid: `timedelta(minutes=10)`."""


class IndividualFields(_CommonFields, total=False):
    """The fields that `KHQR.individual` takes."""

    account_information: str | None
    """The account number or phone number at the bank, 1 to 32 characters: `"012345678"`."""
    acquiring_bank: str | None
    """The bank that holds the account, 1 to 32 characters: `"Dev Bank"`."""


class MerchantFields(_CommonFields):
    """The fields that `KHQR.merchant` takes."""

    merchant_id: str
    """The merchant's number at the acquiring bank, 1 to 32 characters: `"123456"`."""
    acquiring_bank: str
    """The bank that holds the account, 1 to 32 characters: `"Dev Bank"`."""


_DEFAULTS = {"merchant_city": "Phnom Penh", "merchant_category_code": "5999", "currency": Currency.KHR}


def _absent(fields: Any) -> dict[str, Any]:
    return {name: _DEFAULTS.get(name) for name in fields.__optional_keys__}


_TAKEN: dict[Kind, tuple[frozenset[str], dict[str, Any]]] = {
    "individual": (IndividualFields.__required_keys__, _absent(IndividualFields)),
    "merchant": (MerchantFields.__required_keys__, _absent(MerchantFields)),
}
"""Which fields must be given, and what the others are if they aren't."""


def complete(kind: Kind, given: Mapping[str, object]) -> dict[str, Any]:
    """Return the given fields with the defaults of the others.

    Raises `TypeError` that names each field that is missing, or that this kind of code doesn't have.
    """
    required, absent = _TAKEN[kind]
    fields = {**absent, **given}
    if len(fields) != len(required) + len(absent) or not required <= fields.keys():
        if unknown := [name for name in given if name not in required and name not in absent]:
            raise TypeError(f"KHQR.{kind} has no field {', '.join(unknown)}")
        missing = sorted(required - given.keys())
        raise TypeError(f"KHQR.{kind} needs {' and '.join(missing)}")
    return fields


def union_pay_fault(currency: Currency, *, offset: int | None = None) -> InvalidKHQR:
    """Return the error of code 44: UnionPay beside a `currency` that isn't riel."""
    return InvalidKHQR(
        ErrorCode.UPI_ACCOUNT_INFORMATION_INVALID_CURRENCY,
        f"upi_account_information goes with riel only, and the currency is {currency}",
        field="upi_account_information",
        offset=offset,
    )
