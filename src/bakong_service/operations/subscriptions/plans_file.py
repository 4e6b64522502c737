"""The file that `PLANS_FILE` names. It is TOML or JSON, with the same members in both.

[[plans]]
code = "PREMIUM"        # 1 to 32 of A-Z, 0-9 and _
name = "Premium"
price = "0.50"          # a string, with the decimals of the currency
currency = "USD"        # or KHR
period_days = 30        # 30 if it is left out; `StatedCadence` has the members that say how long a period is
"""

import json
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from bakong_khqr.money import Currency, write_amount
from bakong_service.domain.cadence import Cadence, StatedCadence
from bakong_service.domain.money import EXPONENTS, Money
from bakong_service.domain.plan import PlanTerms

_MEMBERS = {"code": str, "name": str, "price": str, "currency": str, **StatedCadence.__annotations__}
_REQUIRED = ("code", "name", "price", "currency")


class PlansFileError(ValueError):
    """The plans file can't be used. The message has the plan, the member, its value and the rule."""


def read_plans(path: Path) -> tuple[PlanTerms, ...]:
    """Return the plans of a `.toml` or `.json` file. Raises `PlansFileError`, also for a file that can't be read."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlansFileError(f"{path}: {error}") from error
    listed = content.get("plans") if isinstance(content, dict) and set(content) == {"plans"} else None
    if not isinstance(listed, list) or not listed:
        raise PlansFileError(f"{path}: it takes one member, `plans`, a list of at least one plan")
    terms = tuple(_plan(f"{path}: plan {number}", plan) for number, plan in enumerate(listed, 1))
    codes = [plan.code for plan in terms]
    if twice := {code for code in codes if codes.count(code) > 1}:
        raise PlansFileError(f"{path}: {', '.join(sorted(twice))} is listed more than once")
    return terms


def _plan(where: str, plan: Any) -> PlanTerms:
    if not isinstance(plan, Mapping):
        raise PlansFileError(f"{where} is {_shown(plan)}; it takes an object with {', '.join(_MEMBERS)}")
    if unknown := set(plan) - set(_MEMBERS):
        raise PlansFileError(f"{where}: {', '.join(sorted(unknown))} is unknown; the members are {', '.join(_MEMBERS)}")
    if missing := [name for name in _REQUIRED if name not in plan]:
        raise PlansFileError(f"{where}: {', '.join(missing)} is missing")
    for name, value in plan.items():
        if type(value) is not _MEMBERS[name]:  # true isn't a number of days, and 0.5 isn't a price
            kind = "a string" if _MEMBERS[name] is str else "a whole number"
            raise PlansFileError(f"{where}: {name} is {_shown(value)}; it takes {kind}")
    if plan["currency"] not in EXPONENTS:
        raise PlansFileError(f"{where}: currency is {plan['currency']}; it takes {' or '.join(EXPONENTS)}")
    try:
        price = _price(plan["price"], Currency(plan["currency"]))
        cadence = Cadence.stated(**{name: plan[name] for name in StatedCadence.__annotations__ if name in plan})
        return PlanTerms(code=plan["code"], name=plan["name"], price=price, cadence=cadence)
    except ValueError as error:
        raise PlansFileError(f"{where}: {error}") from error


def _shown(value: Any) -> str:
    """Return a value as JSON writes it; a date and a time of TOML as text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _price(text: str, currency: Currency) -> Money:
    return Money.of(Decimal(write_amount(text, currency) or 0), currency.value)
