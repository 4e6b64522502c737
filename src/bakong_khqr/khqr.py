"""`KHQR`: one payment code, made from fields or read from a payload; `encoding.py` and `decoding.py` have its rules."""

import os
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from hashlib import md5
from typing import TYPE_CHECKING, Literal, Self, overload

from attrs import frozen

from bakong_khqr import decoding
from bakong_khqr.account import Kind
from bakong_khqr.emv.tlv import DataObject, parse
from bakong_khqr.encoding import encode
from bakong_khqr.errors import ErrorCode, shown
from bakong_khqr.fields import DYNAMIC, Fields
from bakong_khqr.money import Currency, format_amount
from bakong_khqr.timestamp import check_aware

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bakong_khqr.images import Artwork, ErrorCorrection, FontFile

FilePath = str | os.PathLike[str]

# `decode` leaves the time to others: an old code may still be looked up, and some were made before expiry was required.
_NOT_FOR_DECODE = frozenset({ErrorCode.EXPIRATION_TIMESTAMP_REQUIRED, ErrorCode.KHQR_EXPIRED})


@frozen(slots=False, init=False, eq=False, repr=False)
class KHQR:
    """A payment code: make one with `KHQR.individual` or `KHQR.merchant`, read one with `KHQR.decode`.

    Frozen. Two are equal when their payloads are the same text, which is also what Bakong tells them apart by. Optional
    fields that are absent are `None`. `created_at` and `expires_at` are aware, in UTC, and `None` on a static code.
    """

    payload: str
    """The text in the QR symbol."""
    kind: Kind
    """Whom it pays: `"individual"` (data object 29) or `"merchant"` (30)."""
    point_of_initiation_method: str
    """`"11"` for a static code, `"12"` for a dynamic one."""
    bakong_account_id: str
    """The account that is paid: `"sokha@aclb"`."""
    account_information: str | None
    """An individual's account number or phone at the bank: `"012345678"`."""
    merchant_id: str | None
    """A merchant's number at the acquiring bank: `"123456"`."""
    acquiring_bank: str | None
    """The bank that holds the account: `"Dev Bank"`."""
    merchant_category_code: str
    """ISO 18245: `"5999"`."""
    currency: Currency
    amount: Decimal | None
    """In units of the currency: `Decimal("2.50")` dollars. `None`: the payer enters it."""
    merchant_name: str
    merchant_city: str
    bill_number: str | None
    mobile_number: str | None
    store_label: str | None
    terminal_label: str | None
    purpose_of_transaction: str | None
    language_preference: str | None
    """The language of the two fields below, ISO 639: `"km"`."""
    merchant_name_alternate_language: str | None
    merchant_city_alternate_language: str | None
    upi_account_information: str | None
    """The UnionPay merchant account (data object 15), riel only."""
    created_at: datetime | None
    expires_at: datetime | None

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("make a KHQR with KHQR.individual or KHQR.merchant, read one with KHQR.decode")

    @classmethod
    def individual(
        cls,
        *,
        bakong_account_id: str,
        merchant_name: str,
        merchant_city: str = "Phnom Penh",
        currency: Currency | str | int = Currency.KHR,
        amount: Decimal | int | str | None = None,
        account_information: str | None = None,
        acquiring_bank: str | None = None,
        bill_number: str | None = None,
        mobile_number: str | None = None,
        store_label: str | None = None,
        terminal_label: str | None = None,
        purpose_of_transaction: str | None = None,
        language_preference: str | None = None,
        merchant_name_alternate_language: str | None = None,
        merchant_city_alternate_language: str | None = None,
        upi_account_information: str | None = None,
        merchant_category_code: str = "5999",
        created_at: datetime | int | None = None,
        expires_at: datetime | int | None = None,
        expires_in: timedelta | None = None,
    ) -> Self:
        """Return a code that pays a person's account.

        Lengths are in characters: account ID (`name@bank`), account information and bank 32; names, labels and
        purpose 25; cities 15; UnionPay account 99; language 2. Account fields together, and the labels together, must
        fit in 99 with 4 each for their headers.

        With an `amount` the code is dynamic and needs `expires_at` (an aware `datetime` or milliseconds) or
        `expires_in`; `created_at` is now unless given. Without one, or with 0, it is static, and times are dropped.

        Raises `InvalidKHQR` with field and code for the first field that breaks a rule, `TypeError` for a wrong type
        (a float amount is one), `ValueError` for a `datetime` without a time zone.
        """
        given = {
            "bakong_account_id": bakong_account_id,
            "merchant_name": merchant_name,
            "merchant_city": merchant_city,
            "currency": currency,
            "amount": amount,
            "account_information": account_information,
            "acquiring_bank": acquiring_bank,
            "bill_number": bill_number,
            "mobile_number": mobile_number,
            "store_label": store_label,
            "terminal_label": terminal_label,
            "purpose_of_transaction": purpose_of_transaction,
            "language_preference": language_preference,
            "merchant_name_alternate_language": merchant_name_alternate_language,
            "merchant_city_alternate_language": merchant_city_alternate_language,
            "upi_account_information": upi_account_information,
            "merchant_category_code": merchant_category_code,
            "created_at": created_at,
            "expires_at": expires_at,
        }
        return cls._of(encode("individual", given, expires_in))

    @classmethod
    def merchant(
        cls,
        *,
        bakong_account_id: str,
        merchant_id: str,
        acquiring_bank: str,
        merchant_name: str,
        merchant_city: str = "Phnom Penh",
        currency: Currency | str | int = Currency.KHR,
        amount: Decimal | int | str | None = None,
        bill_number: str | None = None,
        mobile_number: str | None = None,
        store_label: str | None = None,
        terminal_label: str | None = None,
        purpose_of_transaction: str | None = None,
        language_preference: str | None = None,
        merchant_name_alternate_language: str | None = None,
        merchant_city_alternate_language: str | None = None,
        upi_account_information: str | None = None,
        merchant_category_code: str = "5999",
        created_at: datetime | int | None = None,
        expires_at: datetime | int | None = None,
        expires_in: timedelta | None = None,
    ) -> Self:
        """Return a code that pays a merchant's account: `merchant_id` and `acquiring_bank` have at most 32 characters
        each.

        Everything else is as for `KHQR.individual`.
        """
        given = {
            "bakong_account_id": bakong_account_id,
            "merchant_id": merchant_id,
            "acquiring_bank": acquiring_bank,
            "merchant_name": merchant_name,
            "merchant_city": merchant_city,
            "currency": currency,
            "amount": amount,
            "bill_number": bill_number,
            "mobile_number": mobile_number,
            "store_label": store_label,
            "terminal_label": terminal_label,
            "purpose_of_transaction": purpose_of_transaction,
            "language_preference": language_preference,
            "merchant_name_alternate_language": merchant_name_alternate_language,
            "merchant_city_alternate_language": merchant_city_alternate_language,
            "upi_account_information": upi_account_information,
            "merchant_category_code": merchant_category_code,
            "created_at": created_at,
            "expires_at": expires_at,
        }
        return cls._of(encode("merchant", given, expires_in))

    @classmethod
    def decode(cls, payload: str) -> Self:
        """Return the code that `payload` is the text of; `.payload` is that very text, so `.md5` is the one Bakong
        knows.

        Raises `InvalidKHQR` for whatever `verify` finds wrong first, but not for a missing or a past expiry;
        `TypeError` for anything but text. Data objects that KHQR doesn't name are kept, see `.data_objects`.
        """
        reading = decoding.judge(payload)
        for problem in reading.problems:
            if problem.code not in _NOT_FOR_DECODE:
                raise problem
        return cls._of(decoding.fields(reading))

    @classmethod
    def _of(cls, fields: Fields) -> Self:
        self = object.__new__(cls)
        object.__setattr__(self, "__dict__", fields)
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KHQR):
            return NotImplemented
        return self.payload == other.payload

    def __hash__(self) -> int:
        return hash(self.payload)

    def __repr__(self) -> str:
        amount = "any amount" if self.amount is None else f"{self.amount}"
        return f"<KHQR {self.kind} {self.bakong_account_id} {amount} {self.currency} md5={self.md5}>"

    @property
    def md5(self) -> str:
        """The key that Bakong tracks the payment by: the MD5 of the payload, 32 lower-case hexadecimal digits."""
        return md5(self.payload.encode(), usedforsecurity=False).hexdigest()

    @cached_property
    def data_objects(self) -> tuple[DataObject, ...]:
        """Every data object of the payload, nested, unknown ones included."""
        return parse(self.payload)

    @property
    def is_static(self) -> bool:
        """Whether the payer enters the amount; Bakong doesn't track a static code by its MD5."""
        return self.point_of_initiation_method != DYNAMIC

    @property
    def payload_format_indicator(self) -> str:
        """Data object 00, the version of the format: `"01"`."""
        return "01"

    @property
    def country_code(self) -> str:
        """Data object 58, ISO 3166: `"KH"`."""
        return "KH"

    @property
    def crc(self) -> str:
        """The payload's checksum as it is written there: four hexadecimal digits."""
        return self.payload[-4:]

    def is_expired(self, now: datetime) -> bool:
        """Say whether `now`, an aware `datetime`, is past the expiry. A code without one never expires."""
        check_aware("now", now)
        return self.expires_at is not None and now > self.expires_at

    # Pictures. Pillow and the fonts are loaded when one is asked for, never with this module.

    def to_png(
        self,
        path: FilePath | None = None,
        *,
        scale: int = 10,
        border: int = 4,
        error_correction: "ErrorCorrection" = "M",
        icon: "Artwork | None" = None,
        icon_size: float = 0.18,
    ) -> bytes:
        """Return the QR symbol as PNG, and write it to `path` when one is given.

        `scale` is the pixels of a module's side, `border` the quiet zone in modules, `icon` the path or bytes of a
        PNG for the centre, `icon_size` its side as a share of the symbol's width, at most 0.20. Raises `ValueError`
        and `TypeError` that name the argument, `OSError` for a file that can't be read or written.
        """
        from bakong_khqr import images

        png = images.png(
            self.payload, scale=scale, border=border, error_correction=error_correction, icon=icon, icon_size=icon_size
        )
        _save(path, png)
        return png

    def to_svg(
        self,
        path: FilePath | None = None,
        *,
        scale: int = 10,
        border: int = 4,
        error_correction: "ErrorCorrection" = "M",
        icon: "Artwork | None" = None,
        icon_size: float = 0.18,
    ) -> str:
        """Return the QR symbol as an SVG document, and write it to `path` when given. Options as for `to_png`."""
        from bakong_khqr import images

        svg = images.svg(
            self.payload, scale=scale, border=border, error_correction=error_correction, icon=icon, icon_size=icon_size
        )
        _save(path, svg.encode())
        return svg

    def to_terminal(self, *, border: int = 4, error_correction: "ErrorCorrection" = "M") -> str:
        """Return the QR symbol as text in half blocks, readable on dark and on light terminals."""
        from bakong_khqr import images

        return images.terminal(self.payload, border=border, error_correction=error_correction)

    def to_data_uri(
        self,
        format: Literal["png", "svg"] = "png",  # noqa: A002 - the word of every picture library
        *,
        scale: int = 10,
        border: int = 4,
        error_correction: "ErrorCorrection" = "M",
        icon: "Artwork | None" = None,
        icon_size: float = 0.18,
    ) -> str:
        """Return the QR symbol as a `data:` URI for an `<img>`. Options as for `to_png`."""
        from bakong_khqr import images

        _check_format(format)
        draw = self.to_png if format == "png" else self.to_svg
        picture = draw(scale=scale, border=border, error_correction=error_correction, icon=icon, icon_size=icon_size)
        return images.data_uri(picture)

    @overload
    def to_card(
        self,
        path: FilePath | None = None,
        *,
        format: Literal["png"] = "png",
        width: int = 600,
        logo: "Artwork | None" = None,
        icon: "Artwork | None" = None,
        fonts: "Sequence[FontFile]" = (),
    ) -> bytes: ...

    @overload
    def to_card(
        self,
        path: FilePath | None = None,
        *,
        format: Literal["svg"],
        width: int = 600,
        logo: "Artwork | None" = None,
        icon: "Artwork | None" = None,
        fonts: "Sequence[FontFile]" = (),
    ) -> str: ...

    def to_card(
        self,
        path: FilePath | None = None,
        *,
        format: Literal["png", "svg"] = "png",  # noqa: A002 - the word of every picture library
        width: int = 600,
        logo: "Artwork | None" = None,
        icon: "Artwork | None" = None,
        fonts: "Sequence[FontFile]" = (),
    ) -> bytes | str:
        """Return the KHQR card: name, amount and symbol, 20 to 29; and write it to `path` when one is given.

        `width` is in pixels. `logo` and `icon` are paths or bytes of PNGs; NBC's own aren't in this package. `fonts`
        are for names in other scripts than Latin and Khmer. Raises as `to_png`, and `ValueError` for a width that
        phones can't read.
        """
        from bakong_khqr import images

        _check_format(format)
        draw = images.card_png if format == "png" else images.card_svg
        card = draw(
            self.payload,
            merchant_name=self.merchant_name,
            merchant_name_alternate=self.merchant_name_alternate_language,
            amount_text=None if self.amount is None else format_amount(self.amount, self.currency),
            currency=self.currency,
            width=width,
            logo=logo,
            icon=icon,
            fonts=fonts,
        )
        _save(path, card if isinstance(card, bytes) else card.encode())
        return card


def _save(path: FilePath | None, content: bytes) -> None:
    if path is not None:
        from bakong_khqr.whole_file import write_file

        write_file(path, content)


def _check_format(format: str) -> None:  # noqa: A002
    if format not in ("png", "svg"):
        raise ValueError(f'format {shown(format)} is not known: "png" or "svg"')
