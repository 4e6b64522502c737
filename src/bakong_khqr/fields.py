"""The fields of a KHQR under their public names, and the rules of those outside any template.

`encoding.py` writes a payload from these, `decoding.py` reads them out of one; both keep the rules of this table.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from bakong_khqr.account import Kind
from bakong_khqr.errors import ErrorCode, InvalidKHQR
from bakong_khqr.money import Currency
from bakong_khqr.template import TextField

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
)
MERCHANT_NAME = TextField(
    "merchant_name",
    ("59",),
    ErrorCode.MERCHANT_NAME_LENGTH_INVALID,
    required_code=ErrorCode.MERCHANT_NAME_REQUIRED,
)
MERCHANT_CITY = TextField(
    "merchant_city",
    ("60",),
    ErrorCode.MERCHANT_CITY_LENGTH_INVALID,
    required_code=ErrorCode.MERCHANT_CITY_TAG_REQUIRED,
)


class Fields(TypedDict):
    """Every attribute of a KHQR, checked, beside its payload."""

    payload: str
    kind: Kind
    point_of_initiation_method: str
    bakong_account_id: str
    account_information: str | None
    merchant_id: str | None
    acquiring_bank: str | None
    merchant_category_code: str
    currency: Currency
    amount: Decimal | None
    merchant_name: str
    merchant_city: str
    bill_number: str | None
    mobile_number: str | None
    store_label: str | None
    terminal_label: str | None
    purpose_of_transaction: str | None
    language_preference: str | None
    merchant_name_alternate_language: str | None
    merchant_city_alternate_language: str | None
    upi_account_information: str | None
    created_at: datetime | None
    expires_at: datetime | None


def union_pay_fault(*, offset: int | None = None) -> InvalidKHQR:
    """Return the error of code 44: UnionPay beside dollars."""
    return InvalidKHQR(
        ErrorCode.UPI_ACCOUNT_INFORMATION_INVALID_CURRENCY,
        "upi_account_information goes with riel only, and the currency is USD",
        field="upi_account_information",
        offset=offset,
    )
