"""The account that is paid: data object 29 for an individual, 30 for a merchant. A KHQR has exactly one of them.

A Bakong account ID is `name@bank`. The official SDK lets `@` and `a@@b` pass; no bank has such an account. It also lets
invisible characters pass: nobody sees that `sokha@aclb` with a space behind it isn't the account that is paid.
"""

import re
from typing import Literal

from bakong_khqr.errors import ErrorCode
from bakong_khqr.payload._alphabet import Alphabet
from bakong_khqr.payload._template import Template, TextField

Kind = Literal["individual", "merchant"]


def _bakong_account_id(template: str) -> TextField:
    return TextField(
        "bakong_account_id",
        (template, "00"),
        ErrorCode.BAKONG_ACCOUNT_ID_LENGTH_INVALID,
        required_code=ErrorCode.BAKONG_ACCOUNT_ID_REQUIRED,
        pattern=re.compile("[^@]+@[^@]+"),
        form="name@bank, with one @ and something on both sides of it",
        form_code=ErrorCode.BAKONG_ACCOUNT_ID_INVALID,
        alphabet=Alphabet.VISIBLE_ASCII,
        made_pattern=re.compile("[!-?A-~]+@[!-?A-~]+"),  # the alphabet without @, on both sides of one
    )


INDIVIDUAL = Template(
    "29",
    "individual_account",
    (
        _bakong_account_id("29"),
        TextField("account_information", ("29", "01"), ErrorCode.ACCOUNT_INFORMATION_LENGTH_INVALID),
        TextField(
            "acquiring_bank", ("29", "02"), ErrorCode.ACQUIRING_BANK_LENGTH_INVALID, alphabet=Alphabet.KHMER_TEXT
        ),
    ),
)

MERCHANT = Template(
    "30",
    "merchant_account",
    (
        _bakong_account_id("30"),
        TextField(
            "merchant_id",
            ("30", "01"),
            ErrorCode.MERCHANT_ID_LENGTH_INVALID,
            required_code=ErrorCode.MERCHANT_ID_REQUIRED,
        ),
        TextField(
            "acquiring_bank",
            ("30", "02"),
            ErrorCode.ACQUIRING_BANK_LENGTH_INVALID,
            required_code=ErrorCode.ACQUIRING_BANK_REQUIRED,
            alphabet=Alphabet.KHMER_TEXT,
        ),
    ),
)

ACCOUNTS: dict[Kind, Template] = {"individual": INDIVIDUAL, "merchant": MERCHANT}
