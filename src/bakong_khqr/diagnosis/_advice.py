"""What to do about each fault: whose rule it breaks, and what to change. There is one row for each code.

`docs/why-is-my-khqr-refused.md` is drawn from this table.
"""

from enum import StrEnum

from attrs import frozen

from bakong_khqr.errors import ErrorCode as E
from bakong_khqr.money import DECIMALS_RULE, Currency


class Source(StrEnum):
    """Who makes a rule; `COPYING` is for a text that was changed on its way."""

    EMVCO = "EMVCo standard"
    OFFICIAL_SDK = "official SDK"
    BANK_APP = "bank apps"
    OURS = "this package"
    COPYING = "on its way"


@frozen
class Advice:
    """Whose rule it is, and what to change."""

    source: Source
    change: str


def _rows(source: Source, rows: dict[E, str]) -> dict[E, Advice]:
    return {code: Advice(source, change) for code, change in rows.items()}


_SHORTEN = "Shorten it; characters count, not bytes, and Khmer vowels and signs count one each."
_TAKE_ALL = (
    "Take the whole text of the code, from 000201 to the last four digits, without spaces or line breaks around it."
)

_CURRENCIES = " or ".join(f"{one.numeric_code} for {one.plural}" for one in Currency)

ADVICE: dict[E, Advice] = (
    _rows(
        Source.EMVCO,
        {
            E.PAYLOAD_FORMAT_INDICATOR_TAG_REQUIRED: "Begin the payload with 000201. " + _TAKE_ALL,
            E.PAYLOAD_FORMAT_INDICATOR_LENGTH_INVALID: "Write data object 00 as 000201.",
            E.PAYLOAD_FORMAT_INDICATOR_INVALID: "Write data object 00 as 000201: 01 is the only version there is.",
            E.POINT_INITIATION_LENGTH_INVALID: "Write data object 01 as 010211 (static) or 010212 (dynamic).",
            E.POINT_OF_INITIATION_METHOD_INVALID: "Write data object 01 as 010211 (static) or 010212 (dynamic).",
            E.CRC_TAG_REQUIRED: "End the payload with 6304 and its checksum. " + _TAKE_ALL,
            E.CRC_LENGTH_INVALID: "Write the checksum as four hexadecimal digits; leading zeros count (00A7, not A7).",
            E.KHQR_INVALID: "Compute the CRC-16/CCITT-FALSE again over the UTF-8 bytes, from 000201 to 6304 inclusive. "
            "If you only read the code, it was changed or cut on its way: scan it again.",
            E.CRC_NOT_LAST: "Move data object 63 to the end and compute its checksum again.",
            E.MERCHANT_CATEGORY_TAG_REQUIRED: "Add data object 52, the merchant category code; 5999 is the usual one.",
            E.MERCHANT_CODE_LENGTH_INVALID: "Use the four digits of ISO 18245, such as 5999.",
            E.INVALID_MERCHANT_CATEGORY_CODE: "Use the four digits of ISO 18245, such as 5999.",
            E.CURRENCY_TYPE_REQUIRED: f"Add data object 53: {_CURRENCIES}.",
            E.TRANSACTION_CURRENCY_LENGTH_INVALID: f"Use {_CURRENCIES}.",
            E.COUNTRY_CODE_TAG_REQUIRED: "Add data object 58: 5802KH.",
            E.COUNTRY_CODE_LENGTH_INVALID: "Write the country as 5802KH.",
            E.MERCHANT_NAME_REQUIRED: "Give the merchant's name, 1 to 25 characters.",
            E.MERCHANT_NAME_LENGTH_INVALID: _SHORTEN,
            E.MERCHANT_CITY_TAG_REQUIRED: "Give the merchant's city, 1 to 15 characters: Phnom Penh.",
            E.MERCHANT_CITY_LENGTH_INVALID: _SHORTEN,
            E.BILL_NUMBER_LENGTH_INVALID: _SHORTEN + " Leave it out rather than empty.",
            E.MOBILE_NUMBER_LENGTH_INVALID: _SHORTEN + " Leave it out rather than empty.",
            E.STORE_LABEL_LENGTH_INVALID: _SHORTEN + " Leave it out rather than empty.",
            E.TERMINAL_LABEL_LENGTH_INVALID: _SHORTEN + " Leave it out rather than empty.",
            E.PURPOSE_OF_TRANSACTION_LENGTH_INVALID: _SHORTEN + " Leave it out rather than empty.",
            E.LANGUAGE_PREFERENCE_REQUIRED: "Say which language the other name is in, by two letters: km.",
            E.LANGUAGE_PREFERENCE_LENGTH_INVALID: "Use the two letters of ISO 639: km, en, zh.",
            E.MERCHANT_NAME_ALTERNATE_LANGUAGE_REQUIRED: "Give the name in that language too, or no language.",
            E.MERCHANT_NAME_ALTERNATE_LANGUAGE_LENGTH_INVALID: _SHORTEN,
            E.MERCHANT_CITY_ALTERNATE_LANGUAGE_LENGTH_INVALID: _SHORTEN,
            E.TRANSACTION_AMOUNT_INVALID: "Write digits, such as 10000 or 2.50, without sign, comma, currency or "
            f"exponent: {', '.join(DECIMALS_RULE.values())}.",
            E.MALFORMED_TLV: "Each data object is two digits of ID, two of length and exactly that many characters. "
            + _TAKE_ALL,
            E.REPEATED_DATA_OBJECT: "Keep one of the two: some apps pay the first, some the last.",
            E.TEMPLATE_LENGTH_INVALID: "Shorten or leave out fields of this template: all of it has 99 characters.",
            E.PAYLOAD_LENGTH_INVALID: "Shorten the fields: phones don't read more.",
            E.NESTING_TOO_DEEP: "Templates are 26 to 51, 62, 64, 80 to 99, and 62.50 to 62.99 within 62.",
        },
    )
    | _rows(
        Source.OFFICIAL_SDK,
        {
            E.MERCHANT_TYPE_REQUIRED: "Add the account: data object 29 for an individual, 30 for a merchant. A code of "
            "another country or of one bank's own kind has none, and Bakong can't pay it.",
            E.BAKONG_ACCOUNT_ID_REQUIRED: "Give the Bakong account ID, name@bank, as the bank's app shows it.",
            E.BAKONG_ACCOUNT_ID_LENGTH_INVALID: "Check the Bakong account ID: it has at most 32 characters.",
            E.BAKONG_ACCOUNT_ID_INVALID: "Write the Bakong account ID as name@bank, with one @: sokha@aclb. A phone or "
            "account number alone is none. It has letters, digits and signs of ASCII only, and no spaces.",
            E.ACCOUNT_INFORMATION_LENGTH_INVALID: _SHORTEN + " Leave it out rather than empty.",
            E.MERCHANT_ID_REQUIRED: "Give the merchant ID from your bank, or make the code for an individual.",
            E.MERCHANT_ID_LENGTH_INVALID: "Check the merchant ID: it has at most 32 characters.",
            E.ACQUIRING_BANK_REQUIRED: "Give the name of the merchant's bank.",
            E.ACQUIRING_BANK_LENGTH_INVALID: _SHORTEN + " Leave it out rather than empty.",
            E.UNSUPPORTED_CURRENCY: f"Use {_CURRENCIES}: KHQR knows no other currency.",
            E.UPI_ACCOUNT_INFORMATION_LENGTH_INVALID: "Check the UnionPay account: 1 to 99 characters.",
            E.UPI_ACCOUNT_INFORMATION_INVALID_CURRENCY: "Make the code in riel, or leave the UnionPay account out.",
            E.INVALID_DYNAMIC_KHQR: "Add the amount, or make the code static (010211).",
            E.EXPIRATION_TIMESTAMP_IN_THE_PAST: "Make the expiration later than the creation, both in milliseconds.",
            E.KHQR_EXPIRED: "Make a new code: the payer took too long, or the clock of the maker is wrong.",
        },
    )
    | _rows(
        Source.BANK_APP,
        {
            E.EXPIRATION_TIMESTAMP_REQUIRED: "Add an expiration (99.01), ten minutes from now for example: bank apps "
            "refuse an amount without one.",
            E.EXPIRATION_TIMESTAMP_LENGTH_INVALID: "Write times in milliseconds, 13 digits; 10 digits are seconds, and "
            "bank apps take them for a code of 1970.",
        },
    )
    | _rows(
        Source.OURS,
        {
            E.CHARACTER_REFUSED: "Take out control characters, invisible characters and emoji: apps count and show "
            "them differently.",
            E.MERCHANT_TYPE_AMBIGUOUS: "Keep either 29 or 30: some apps pay the first, some the last.",
            E.COUNTRY_CODE_INVALID: "A KHQR is Cambodian: 5802KH. bakong_khqr.emv reads those of other countries.",
        },
    )
)
"""By code. Only codes that a payload can have are here: 13 to 15 and 29 belong to the Open API's deep links."""
