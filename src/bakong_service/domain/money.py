"""Money in whole minor units: cents of a dollar, riel. The public form is a text such as `"2.50"` or `"10000"`."""

from decimal import Decimal

from attrs import field, frozen
from attrs.validators import in_, instance_of

from bakong_khqr.money import Currency

EXPONENTS = {currency.value: currency.decimals for currency in Currency}
"""Digits after the point, by ISO 4217 code."""
LEAST = {"KHR": 100, "USD": 1}
"""The smallest amount that a QR asks for, in minor units."""


@frozen
class Money:
    """An amount in a currency: `Money(250, "USD")` is 2.50 dollars. It may be negative, when credit is removed."""

    minor: int = field(validator=instance_of(int))
    currency: str = field(validator=in_(EXPONENTS))

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> "Money":
        """Return an amount in major units as `Money`. Raises `ValueError` for a fraction of a minor unit."""
        minor = amount.scaleb(EXPONENTS[currency])
        if minor != minor.to_integral_value():
            raise ValueError(f"{amount} {currency} has more than {EXPONENTS[currency]} decimals")
        return cls(int(minor), currency)

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, with the currency's own number of decimals: `Decimal("2.50")`."""
        return Decimal(self.minor).scaleb(-EXPONENTS[self.currency])

    def __str__(self) -> str:
        return f"{self.decimal:f}"


def written(amount: Decimal, currency: str) -> str:
    """Return an amount that came from outside, with the decimals of its currency: `"0.50"`, never `"0.5"`.

    Half a riel keeps its digits, and so does an amount in a currency that the service doesn't know.
    """
    try:
        return str(Money.of(amount, currency))
    except (KeyError, ValueError):
        return f"{amount:f}"
