"""The fields of a KHQR as texts, from options or from a row of a CSV file, and their KHQR."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

import attrs
from attrs import frozen
from cyclopts import Parameter

from bakong_khqr.errors import shown
from bakong_khqr.khqr import KHQR

_DURATION = re.compile("([0-9]{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@frozen(kw_only=True)
class FieldTexts:
    """The fields of a KHQR as texts. A missing field is `None`. A `merchant_id` makes it a merchant's code."""

    bakong_account_id: Annotated[str | None, Parameter(help="The account that is paid: name@bank.")] = None
    merchant_name: Annotated[str | None, Parameter(help="1 to 25 characters.")] = None
    merchant_city: Annotated[str | None, Parameter(help="1 to 15 characters; Phnom Penh by default.")] = None
    currency: Annotated[str | None, Parameter(help="KHR or USD; KHR by default.")] = None
    amount: Annotated[
        str | None,
        Parameter(help="10000 or 2.50; needs --expires-in or --expires-at. Without it, the payer enters the amount."),
    ] = None
    merchant_id: Annotated[str | None, Parameter(help="Makes the code a merchant's; needs --acquiring-bank.")] = None
    acquiring_bank: Annotated[str | None, Parameter(help="The bank's name, 1 to 32 characters.")] = None
    account_information: Annotated[str | None, Parameter(help="An individual's account or phone number.")] = None
    bill_number: Annotated[str | None, Parameter(help="1 to 25 characters.")] = None
    mobile_number: Annotated[str | None, Parameter(help="1 to 25 characters.")] = None
    store_label: Annotated[str | None, Parameter(help="1 to 25 characters.")] = None
    terminal_label: Annotated[str | None, Parameter(help="1 to 25 characters.")] = None
    purpose_of_transaction: Annotated[str | None, Parameter(help="1 to 25 characters.")] = None
    language_preference: Annotated[str | None, Parameter(help="Two letters: km.")] = None
    merchant_name_alternate_language: Annotated[str | None, Parameter(help="The name in that language.")] = None
    merchant_city_alternate_language: Annotated[str | None, Parameter(help="The city in that language.")] = None
    upi_account_information: Annotated[str | None, Parameter(help="The UnionPay account; riel only.")] = None
    merchant_category_code: Annotated[str | None, Parameter(help="ISO 18245; 5999 by default.")] = None
    created_at: Annotated[str | None, Parameter(help="Written as --expires-at; now by default.")] = None
    expires_at: Annotated[
        str | None, Parameter(help="2026-01-31T17:00:00+07:00, or 13 digits of milliseconds since 1970.")
    ] = None
    expires_in: Annotated[str | None, Parameter(help="A number and s, m, h or d: 10m.")] = None

    def khqr(self) -> KHQR:
        """Return the code. Raises `InvalidKHQR`, and `ValueError` for wrong times and combinations."""
        given: dict[str, Any] = {name: text for name, text in attrs.asdict(self).items() if text is not None}
        for name in ("created_at", "expires_at"):
            if name in given:
                given[name] = _moment(name, given[name])
        if "expires_in" in given:
            given["expires_in"] = _duration(given["expires_in"])
        # For an empty text, `KHQR` raises the error that the field is required.
        given = {"bakong_account_id": "", "merchant_name": "", **given}
        if self.merchant_id is None:
            return KHQR.individual(**given)
        if self.account_information is not None:
            raise ValueError(
                "account_information is only for an individual's code, and merchant_id makes the code a merchant's"
            )
        given.setdefault("acquiring_bank", "")
        return KHQR.merchant(**given)


def as_options(message: str) -> str:
    """Return a message about fields with the names of their options: `--merchant-name`, `--expires-in`.

    Only names with an underscore change, and a name at the beginning, because `amount` and `currency` are also words.
    """
    first, space, rest = message.partition(" ")
    names = [one.name for one in attrs.fields(FieldTexts)]
    if first in names:
        first = _option(first)
    for name in names:
        if "_" in name:
            rest = re.sub(rf"(?<![\w-]){name}(?!\w)", _option(name), rest)
    return f"{first}{space}{rest}"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _moment(name: str, text: str) -> datetime | int:
    if text.isascii() and text.isdigit():
        return int(text[:20])
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{name} {shown(text)} isn't a time: write 2026-01-31T17:00:00+07:00, or 13 digits of milliseconds"
        ) from None


def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"expires_in {shown(text)} isn't a duration: write a number and s, m, h or d, such as 10m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
