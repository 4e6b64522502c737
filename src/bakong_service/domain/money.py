"""Money in whole minor units: cents of a dollar, riel. The public form is a text such as `"2.50"` or `"10000"`."""

from decimal import Decimal

from attrs import field, frozen
from attrs.validators import in_, instance_of

EXPONENTS = {"USD": 2, "KHR": 0}
"""Digits after the point, by ISO 4217 code."""


@frozen
class Money:
    """An amount of a currency: `Money(250, "USD")` is 2.50 dollars. May be negative (a credit that is spent)."""

    minor: int = field(validator=instance_of(int))
    currency: str = field(validator=in_(EXPONENTS))

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> "Money":
        """The exact amount in minor units. Raises `ValueError` where it has parts smaller than the currency's least."""
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
