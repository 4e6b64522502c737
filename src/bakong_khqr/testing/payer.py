"""How a payer's bank app reads a code.

It accepts more than `KHQR.decode`, because a bank's app may pay a code that the SDK refuses, and the simulator shows
what happens then.
"""

import hashlib
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol

import attrs

from bakong_khqr import emv
from bakong_khqr.errors import InvalidKHQR, shown
from bakong_khqr.money import BY_NUMERIC_CODE, Currency, read_currency

_DECIMALS: Final = 6  # more than any currency has, and few enough to write
_LEAST: Final = Decimal(1).scaleb(-_DECIMALS)
_TOO_MUCH: Final = Decimal(10) ** 15  # more than any payment, and few enough digits to write
_MD5: Final = re.compile(r"[0-9a-f]{32}")


class HasPayload(Protocol):
    """A `KHQR`, or anything else that has a payload."""

    @property
    def payload(self) -> str:
        """The text in the QR symbol."""


@attrs.frozen(kw_only=True)
class ScannedCode:
    """What a bank's app reads from a code. If only the MD5 of a code is known, everything else is unknown."""

    md5: str
    to_account_id: str | None = None
    currency: Currency | None = None
    amount: Decimal | None = None
    """`None` if the payer enters it."""
    is_static: bool = False
    merchant_name: str | None = None


def scan(payload: str) -> ScannedCode:
    """Read a payload as a bank's app does. Raises `ValueError` if it can't be paid."""
    try:
        fields: dict[str, Any] = emv.to_dict(emv.parse(payload))
    except InvalidKHQR as error:
        raise ValueError(f"qr: isn't a code that a bank's app can read: {error}") from error
    crc = emv.crc16(payload[:-4])
    if str(fields.get("63", "")).upper() != crc:
        raise ValueError(f"qr: its CRC (63) is {fields.get('63')!r}, but the text before it has {crc}")
    account: dict[str, str] = next((fields[tag] for tag in ("29", "30") if isinstance(fields.get(tag), dict)), {})
    if not account.get("00"):
        raise ValueError("qr: has no Bakong account ID (29.00 or 30.00)")
    currency = BY_NUMERIC_CODE.get(fields.get("53", ""))
    if currency is None:
        raise ValueError(f"qr: its currency (53) is {fields.get('53')!r}; it takes {' or '.join(BY_NUMERIC_CODE)}")
    return ScannedCode(
        md5=hashlib.md5(payload.encode(), usedforsecurity=False).hexdigest(),
        to_account_id=account["00"],
        currency=currency,
        amount=as_amount(fields["54"]) if fields.get("54") else None,
        is_static=fields.get("01") != "12",
        merchant_name=fields.get("59"),
    )


def is_md5(text: str) -> bool:
    """Return whether this is an MD5, 32 lower-case hexadecimal digits, and not a payload."""
    return _MD5.fullmatch(text) is not None


def as_amount(value: object) -> Decimal:
    """Return an amount above 0 and below 10 to the 15th, with at most 6 decimals.

    Raises `ValueError` for any other number or text, and `TypeError` for a float, which may not be the exact amount.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise TypeError(f"amount: {shown(value)} isn't a Decimal, an int or a text such as '2.50'")
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"amount: {shown(value)} isn't a number such as 2.50") from None
    if not amount.is_finite() or not _LEAST <= amount < _TOO_MUCH or amount != round(amount, _DECIMALS):
        raise ValueError(f"amount: {shown(value)} isn't above 0 and below 10 to the 15th, with at most 6 decimals")
    return amount


def as_currency(value: Currency | str | int) -> Currency:
    """Return the currency for its letters or its ISO number. Raises `ValueError` for any other value."""
    try:
        return read_currency(value)
    except InvalidKHQR as error:
        raise ValueError(f"currency: {error}") from error
