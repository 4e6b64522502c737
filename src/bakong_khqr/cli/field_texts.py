"""The fields of a KHQR as texts, from options or from a row of a CSV file, and the KHQR they make."""

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
    """Every field of a KHQR, `None` where it isn't given. With a `merchant_id` it is a merchant's code."""

    bakong_account_id: Annotated[str | None, Parameter(help="The account that is paid: name@bank.")] = None
    merchant_name: Annotated[str | None, Parameter(help="1 to 25 characters.")] = None
    merchant_city: Annotated[str | None, Parameter(help="1 to 15 characters; Phnom Penh unless given.")] = None
    currency: Annotated[str | None, Parameter(help="KHR or USD; KHR unless given.")] = None
    amount: Annotated[
        str | None,
        Parameter(help="10000 or 2.50; needs --expires-in or --expires-at. Without it the payer enters one."),
    ] = None
    merchant_id: Annotated[str | None, Parameter(help="Makes it a merchant's code; needs --acquiring-bank.")] = None
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
    merchant_category_code: Annotated[str | None, Parameter(help="ISO 18245; 5999 unless given.")] = None
    created_at: Annotated[str | None, Parameter(help="Now unless given; as --expires-at.")] = None
    expires_at: Annotated[
        str | None, Parameter(help="2026-01-31T17:00:00+07:00, or 13 digits of milliseconds since 1970.")
    ] = None
    expires_in: Annotated[str | None, Parameter(help="A number and s, m, h or d: 10m.")] = None

    def khqr(self) -> KHQR:
        """Return the code. Raises `InvalidKHQR`, or `ValueError` for a time or a combination that can't be."""
        given: dict[str, Any] = {name: text for name, text in attrs.asdict(self).items() if text is not None}
        for name in ("created_at", "expires_at"):
            if name in given:
                given[name] = _moment(name, given[name])
        if "expires_in" in given:
            given["expires_in"] = _duration(given["expires_in"])
        # An empty text is what the library has its "required" errors for.
        given = {"bakong_account_id": "", "merchant_name": "", **given}
        if self.merchant_id is None:
            return KHQR.individual(**given)
        if self.account_information is not None:
            raise ValueError(
                "account_information goes with an individual's code, and merchant_id makes it a merchant's"
            )
        given.setdefault("acquiring_bank", "")
        return KHQR.merchant(**given)


def _moment(name: str, text: str) -> datetime | int:
    if text.isascii() and text.isdigit():
        return int(text[:20])
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{name} {shown(text)} is no time: write 2026-01-31T17:00:00+07:00, or 13 digits of milliseconds"
        ) from None


def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"expires_in {shown(text)} is no duration: a number and s, m, h or d, such as 10m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
