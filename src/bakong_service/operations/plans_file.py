"""The file that `PLANS_FILE` names: TOML or JSON, the same members in both.

[[plans]]
code = "PREMIUM"        # 1 to 32 of A-Z, 0-9 and _
name = "Premium"
price = "0.50"          # text, in the currency's own decimals
currency = "USD"        # or KHR
period_days = 30        # left out: 30
"""

import json
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bakong_khqr.money import Currency, write_amount
from bakong_service.domain.money import EXPONENTS, Money
from bakong_service.domain.plan import PERIOD, PlanTerms

_MEMBERS = {"code": str, "name": str, "price": str, "currency": str, "period_days": int}
_REQUIRED = ("code", "name", "price", "currency")


class PlansFileError(ValueError):
    """The plans file can't be used. Says which plan and member, what it was, and the rule."""


def read_plans(path: Path) -> tuple[PlanTerms, ...]:
    """The plans of a `.toml` or `.json` file. Raises `PlansFileError`; an unreadable file is one too."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlansFileError(f"{path}: {error}") from error
    listed = content.get("plans") if isinstance(content, dict) and set(content) == {"plans"} else None
    if not isinstance(listed, list) or not listed:
        raise PlansFileError(f"{path}: it holds one member, `plans`, a list of at least one plan")
    terms = tuple(_plan(f"{path}: plan {number}", plan) for number, plan in enumerate(listed, 1))
    codes = [plan.code for plan in terms]
    if twice := {code for code in codes if codes.count(code) > 1}:
        raise PlansFileError(f"{path}: {', '.join(sorted(twice))} is listed more than once")
    return terms


def _plan(where: str, plan: Any) -> PlanTerms:
    if not isinstance(plan, Mapping):
        raise PlansFileError(f"{where} is {plan!r}; it takes an object with {', '.join(_MEMBERS)}")
    if unknown := set(plan) - set(_MEMBERS):
        raise PlansFileError(f"{where}: {', '.join(sorted(unknown))} isn't known; it may hold {', '.join(_MEMBERS)}")
    if missing := [name for name in _REQUIRED if name not in plan]:
        raise PlansFileError(f"{where}: {', '.join(missing)} is missing")
    for name, value in plan.items():
        if type(value) is not _MEMBERS[name]:  # True isn't a number of days, 0.5 isn't a price
            kind = "a text" if _MEMBERS[name] is str else "a whole number"
            raise PlansFileError(f"{where}: {name} is {value!r}; it takes {kind}")
    if plan["currency"] not in EXPONENTS:
        raise PlansFileError(f"{where}: currency is {plan['currency']!r}; it may be {' or '.join(EXPONENTS)}")
    try:
        price = _price(plan["price"], Currency(plan["currency"]))
        period = timedelta(days=plan["period_days"]) if "period_days" in plan else PERIOD
        return PlanTerms(code=plan["code"], name=plan["name"], price=price, period=period)
    except (ValueError, OverflowError) as error:
        raise PlansFileError(f"{where}: {error}") from error


def _price(text: str, currency: Currency) -> Money:
    return Money.of(Decimal(write_amount(text, currency) or 0), currency.value)
