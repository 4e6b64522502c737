"""Plans: what is sold, at which price, for which period. A new price is a new version; a version never changes."""

import re
from datetime import datetime

from attrs import field, frozen

from bakong_service.domain.cadence import Cadence
from bakong_service.domain.money import Money

CODE = re.compile(r"[A-Z0-9][A-Z0-9_]{0,31}")
LONGEST_NAME = 64


@frozen(kw_only=True)
class PlanTerms:
    """A plan as the shop states it. Raises `ValueError` with the field, its value and the rule."""

    code: str = field()  # "PREMIUM"
    name: str = field()
    price: Money = field()
    cadence: Cadence = field(factory=Cadence.stated)

    @code.validator
    def _check_code(self, _attribute: object, value: str) -> None:
        if not CODE.fullmatch(value):
            raise ValueError(f"code is {value!r}; it takes 1 to 32 of A-Z, 0-9 and _, not starting with _")

    @name.validator
    def _check_name(self, _attribute: object, value: str) -> None:
        if not 1 <= len(value.strip()) <= LONGEST_NAME:
            raise ValueError(f"name is {value!r}; it must have 1 to {LONGEST_NAME} characters")

    @price.validator
    def _check_price(self, _attribute: object, value: Money) -> None:
        if value.minor <= 0:
            raise ValueError(f"price is {value} {value.currency}; it is more than zero")


@frozen(kw_only=True)
class Plan:
    """One version of a plan. Currency and cadence are the same in all versions of a plan."""

    id: int
    code: str  # "PREMIUM"
    version: int
    name: str
    price: Money
    cadence: Cadence
    created_at: datetime

    @property
    def terms(self) -> PlanTerms:
        """The plan as the shop stated it."""
        return PlanTerms(code=self.code, name=self.name, price=self.price, cadence=self.cadence)


DEFAULT_PLANS = (
    PlanTerms(code="PREMIUM", name="Premium", price=Money(50, "USD")),
    PlanTerms(code="FAMILY_PREMIUM", name="Family Premium", price=Money(100, "USD")),
)
"""The plans that are sold if PLANS_FILE isn't set."""
