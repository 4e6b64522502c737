"""Money on a KHQR: the currencies and their amounts. `_FACTS` has one row for each currency.

Amounts are `Decimal`. They are read and written digit by digit, so there is no float, and the caller's decimal context
rounds nothing.
"""

import re
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from bakong_khqr.errors import ErrorCode, InvalidKHQR, shown, shown_length

MOST_CHARACTERS = 13
"""The most characters that an amount may have in a payload: EMVCo QRCPS-MPM 1.1, data object 54."""

_MOST_GIVEN = 1_024
"""The most characters of an amount that a caller gives as text.

Zeros at its ends don't count (`1.500` is 1.50), but this package doesn't read millions of them.
"""

_TOO_LARGE = 10**MOST_CHARACTERS  # the smallest whole number that has too many digits
_PLAIN = re.compile(r"([0-9]+)(?:\.([0-9]+))?")


class Currency(StrEnum):
    """A currency of KHQR, by its ISO 4217 letters: `Currency.USD == "USD"`, `Currency(840) is Currency.USD`."""

    KHR = "KHR"
    """The riel. Its amounts are whole."""
    USD = "USD"
    """The US dollar. Its amounts have at most two decimals."""

    @property
    def numeric_code(self) -> str:
        """The ISO 4217 numeric code, as data object 53 holds it: `"116"` or `"840"`."""
        return _FACTS[self].numeric_code

    @property
    def decimals(self) -> int:
        """The number of decimals of an amount: 0 for riel, 2 for dollars."""
        return _FACTS[self].decimals

    @property
    def symbol(self) -> str:
        """The sign that people write: `"៛"` or `"$"`."""
        return _FACTS[self].symbol

    @property
    def full_name(self) -> str:
        """The name of the currency: `"riel"` or `"US dollar"`."""
        return _FACTS[self].full_name

    @property
    def plural(self) -> str:
        """The word for several units: `"riel"` or `"dollars"`."""
        return _FACTS[self].plural

    @classmethod
    def _missing_(cls, value: object) -> "Currency | None":
        return _CURRENCIES.get(value) if isinstance(value, int) else None


class _Facts(NamedTuple):
    numeric_code: str
    decimals: int
    symbol: str
    full_name: str
    plural: str


_FACTS = {
    Currency.KHR: _Facts("116", 0, "៛", "riel", "riel"),
    Currency.USD: _Facts("840", 2, "$", "US dollar", "dollars"),
}
BY_NUMERIC_CODE = {currency.numeric_code: currency for currency in Currency}
"""The currency of each value of data object 53: `BY_NUMERIC_CODE["840"] is Currency.USD`."""

_CURRENCIES: dict[object, Currency] = {
    **{currency.value: currency for currency in Currency},
    **{int(currency.numeric_code): currency for currency in Currency},
}
DECIMALS_RULE = {
    currency: f"{currency.plural} {f'have at most {currency.decimals} decimals' if currency.decimals else 'are whole'}"
    for currency in Currency
}
"""The rule about the decimals of each currency, as messages say it: `"dollars have at most 2 decimals"`."""


def read_currency(value: Currency | str | int) -> Currency:
    """Return the currency for a `Currency`, `"KHR"`, `"USD"`, 116 or 840.

    Raises `InvalidKHQR` with code 9 for `""` and 28 for any other value, and `TypeError` for another type.
    """
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise TypeError(f"currency must be a Currency, a str or an int, not {type(value).__name__}")
    # Longer texts aren't looked up: the dictionary would go through every letter of them.
    if (isinstance(value, int) or len(value) == 3) and (currency := _CURRENCIES.get(value)) is not None:
        return currency
    if value == "":
        raise InvalidKHQR(
            ErrorCode.CURRENCY_TYPE_REQUIRED, f"currency is required: {' or '.join(Currency)}", field="currency"
        )
    raise InvalidKHQR(
        ErrorCode.UNSUPPORTED_CURRENCY,
        f"currency {shown(value)} is not supported: {' or '.join(f'{one} ({one.numeric_code})' for one in Currency)}",
        field="currency",
    )


def write_amount(amount: Decimal | int | str | None, currency: Currency) -> str | None:
    """Return `amount` as a payload writes it: `"100"`, `"10.50"`. `None` and 0 both mean "no amount": return `None`.

    Text is ASCII digits with an optional point and digits; `"1e3"` is refused, `Decimal("1E+3")` is the number 1000.
    Raises `InvalidKHQR` with code 4 for a value that isn't an amount of `currency`, such as a negative one, and
    `TypeError` for a float or another type.
    """
    if amount is None:
        return None
    whole, fraction = _digits(amount)
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    if len(fraction) > currency.decimals:
        raise amount_fault(amount, DECIMALS_RULE[currency])
    written = f"{whole}.{fraction:0<{currency.decimals}}" if fraction else whole
    if written == "0":
        return None
    if len(written) > MOST_CHARACTERS:
        raise amount_fault(amount, f"at most {MOST_CHARACTERS} characters", length=len(written))
    return written


def read_amount(text: str, currency: Currency | None) -> Decimal | None:
    """Return the amount that data object 54 holds, or `None` if its text isn't an amount.

    Zeros at the end are accepted beyond the decimals of `currency`: `50000.0` riel is 50000. If `currency` is `None`,
    any number of decimals is accepted.
    """
    found = _PLAIN.fullmatch(text)
    if found is None or len(text) > MOST_CHARACTERS:
        return None
    fraction = found[2]
    if fraction and currency is not None and len(fraction.rstrip("0")) > currency.decimals:
        return None
    return Decimal(text)


def format_amount(amount: Decimal, currency: Currency) -> str:
    """Return the amount as people write it: `"៛ 10,000"`, `"$ 2.50"`."""
    return f"{currency.symbol} {amount:,.{currency.decimals}f}"


def amount_fault(
    amount: object, rule: str, *, offset: int | None = None, length: int | None = None, limit: int = MOST_CHARACTERS
) -> InvalidKHQR:
    """Return the error with code 4 for `amount`, with the rule that it breaks.

    `offset` is the amount's place in the payload, if there is a payload. `limit` is the most characters that the amount
    may have, and `length` is the number that it has: by default the length of `amount` itself.
    """
    return InvalidKHQR(
        ErrorCode.TRANSACTION_AMOUNT_INVALID,
        f"amount {shown(amount)}: {rule}",
        field="amount",
        offset=offset,
        length=shown_length(amount) if length is None else length,
        limit=limit,
    )


def _digits(amount: Decimal | int | str) -> tuple[str, str]:
    """Return the digits before and after the point."""
    if isinstance(amount, str):
        text = amount
        if len(text) > _MOST_GIVEN:
            rule = f"it has {len(text)} characters; a text may have at most {_MOST_GIVEN}, zeros included"
            raise amount_fault(text, rule, limit=_MOST_GIVEN)
    elif isinstance(amount, Decimal):
        text = _decimal_text(amount)
    elif isinstance(amount, int) and not isinstance(amount, bool):
        if not 0 <= amount < _TOO_LARGE:
            raise amount_fault(amount, f"an int must be 0 or more and have at most {MOST_CHARACTERS} digits")
        text = str(int(amount))
    else:
        raise TypeError(f'amount must be a Decimal, int or str such as "2.50", not {type(amount).__name__}')
    found = _PLAIN.fullmatch(text)
    if found is None:
        raise amount_fault(amount, "digits, and for cents a point and two digits: 10000 or 2.50")
    return found[1], found[2] or ""


def _decimal_text(amount: Decimal) -> str:
    """Return a decimal as text without an exponent.

    The range is checked before the text is made, because 1E+999999999 would become a gigabyte of zeros.
    """
    if not amount.is_finite():
        raise amount_fault(amount, "it must be a finite number")
    if amount == 0:
        return "0"
    if amount.adjusted() >= MOST_CHARACTERS:
        raise amount_fault(amount, f"at most {MOST_CHARACTERS} characters", length=amount.adjusted() + 1)
    if amount.adjusted() < -MOST_CHARACTERS:
        raise amount_fault(amount, "it is less than a cent")
    return f"{amount:f}"
