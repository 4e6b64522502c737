"""`KHQR`: one payment code, made from fields or read from a payload; the rules are in `payload/`."""

import os
from datetime import datetime
from decimal import Decimal
from hashlib import md5
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

from attrs import fields, frozen

from bakong_khqr.emv.tlv import DataObject, parse
from bakong_khqr.errors import ErrorCode, shown
from bakong_khqr.money import Currency, format_amount
from bakong_khqr.payload import _decoding as decoding
from bakong_khqr.payload._account import Kind
from bakong_khqr.payload._encoding import encode
from bakong_khqr.payload._fields import DYNAMIC, IndividualFields, MerchantFields
from bakong_khqr.payload._timestamp import check_aware
from bakong_khqr.picture_options import CardOptions, ErrorCorrection, PictureOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bakong_khqr.images import Artwork, FontFile

FilePath = str | os.PathLike[str]

# `decode` leaves the time to others: an old code may still be looked up, and some were made before expiry was required.
_NOT_FOR_DECODE = frozenset({ErrorCode.EXPIRATION_TIMESTAMP_REQUIRED, ErrorCode.KHQR_EXPIRED})


@frozen(slots=False, init=False, eq=False, repr=False)
class KHQR:
    """A payment code: make one with `KHQR.individual` or `KHQR.merchant`, read one with `KHQR.decode`.

    It is frozen. Two codes are equal if their payloads are the same text: Bakong too knows a code by its text. Optional
    fields that are absent are `None`. `created_at` and `expires_at` are aware, in UTC, and `None` on a static code.
    """

    payload: str
    """The text in the QR symbol."""
    kind: Kind
    """Who is paid: an `"individual"` (data object 29) or a `"merchant"` (30)."""
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
    """The currency of the amount: `Currency.USD`."""
    amount: Decimal | None
    """In units of the currency: `Decimal("2.50")` dollars. `None`: the payer enters it."""
    merchant_name: str
    """The name that the payer sees: `"Sokha Coffee"`."""
    merchant_city: str
    """The city: `"Phnom Penh"`."""
    bill_number: str | None
    """The number of the bill or the order: `"INV-0042"`."""
    mobile_number: str | None
    """A phone number for the payment: `"85512345678"`."""
    store_label: str | None
    """The store: `"BKK1"`."""
    terminal_label: str | None
    """The counter or the device: `"Counter 2"`."""
    purpose_of_transaction: str | None
    """What the payment is for: `"Coffee"`."""
    language_preference: str | None
    """The language of the two fields below, ISO 639: `"km"`."""
    merchant_name_alternate_language: str | None
    """The name in that language."""
    merchant_city_alternate_language: str | None
    """The city in that language."""
    upi_account_information: str | None
    """The UnionPay merchant account (data object 15), riel only."""
    created_at: datetime | None
    """When the code was made, aware, in UTC. `None` on a static code."""
    expires_at: datetime | None
    """Until when the code may be paid, aware, in UTC. `None` if the code has no expiry."""

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("make a KHQR with KHQR.individual or KHQR.merchant, read one with KHQR.decode")

    @classmethod
    def individual(cls, **fields: Unpack[IndividualFields]) -> Self:
        """Return a code that pays a person's account. `IndividualFields` lists the fields; all are given by name.

        Required are `bakong_account_id` and `merchant_name`. Lengths are in characters: the account ID (`name@bank`),
        the account information and the bank have at most 32; names, labels and the purpose 25; cities 15; the UnionPay
        account 99; the language has 2. The account's fields together, and the labels together, must fit in 99
        characters, with 4 more for each field.

        With an `amount` the code is dynamic and needs `expires_at` (an aware `datetime` or milliseconds) or
        `expires_in`; `created_at` is the present by default. Without an amount, or with 0, the code is static and has
        no times: given ones are dropped.

        Raises `InvalidKHQR` with field and code for the first field that breaks a rule, `TypeError` for a field that is
        unknown, missing or of a wrong type (a float amount is one), `ValueError` for a `datetime` without a time zone.
        """
        return cls._of(encode("individual", fields))

    @classmethod
    def merchant(cls, **fields: Unpack[MerchantFields]) -> Self:
        """Return a code that pays a merchant's account. `MerchantFields` lists the fields; all are given by name.

        Required are `bakong_account_id`, `merchant_name`, `merchant_id` and `acquiring_bank`; the last two have at most
        32 characters each. Everything else is as for `KHQR.individual`.
        """
        return cls._of(encode("merchant", fields))

    @classmethod
    def decode(cls, payload: str) -> Self:
        """Return the code that `payload` is the text of; `.payload` is that very text, so `.md5` is the one Bakong
        knows.

        Raises `InvalidKHQR` for the first problem that `verify` finds, but not for a missing or a past expiry;
        `TypeError` for anything but text. Data objects that KHQR doesn't name are kept, see `.data_objects`.
        """
        reading = decoding.judge(payload)
        for problem in reading.problems:
            if problem.code not in _NOT_FOR_DECODE:
                raise problem
        return cls._of(decoding.fields(reading))

    @classmethod
    def _of(cls, checked: dict[str, Any]) -> Self:
        self = object.__new__(cls)
        object.__setattr__(self, "__dict__", checked)
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

    @property
    def data_objects(self) -> tuple[DataObject, ...]:
        """Every data object of the payload, nested, unknown ones included. They are read from it each time."""
        return parse(self.payload)

    def to_dict(self) -> dict[str, str | None]:
        """Return the MD5 and every field as JSON can hold it: amounts as text, times in ISO 8601, absent ones `None`.

        `{"md5": "d41d...", "payload": "0002...", "amount": "2.50", "currency": "USD", "bill_number": None, ...}`
        """
        return {"md5": self.md5} | {one.name: _json_value(getattr(self, one.name)) for one in fields(KHQR)}

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
        """Say whether `now`, an aware `datetime`, is after the expiry. A code without an expiry never expires."""
        check_aware("now", now)
        return self.expires_at is not None and now > self.expires_at

    # Pictures. Pillow and the fonts are loaded when one is asked for, never with this module.

    def to_png(
        self, path: FilePath | None = None, *, icon: "Artwork | None" = None, **options: Unpack[PictureOptions]
    ) -> bytes:
        """Return the QR symbol as PNG, and write it to `path` when one is given.

        `icon` is the path or bytes of a PNG for the centre. `PictureOptions` lists the other options. Raises
        `ValueError` and `TypeError` that name the argument, `OSError` for a file that can't be read or written.
        """
        from bakong_khqr import images

        png = images.png(self.payload, icon=icon, **options)
        _save(path, png)
        return png

    def to_svg(
        self, path: FilePath | None = None, *, icon: "Artwork | None" = None, **options: Unpack[PictureOptions]
    ) -> str:
        """Return the QR symbol as an SVG document, and write it to `path` when given. Options as for `to_png`."""
        from bakong_khqr import images

        svg = images.svg(self.payload, icon=icon, **options)
        _save(path, svg.encode())
        return svg

    def to_terminal(self, *, border: int = 4, error_correction: ErrorCorrection = "M") -> str:
        """Return the QR symbol as text in half blocks, readable on dark and on light terminals."""
        from bakong_khqr import images

        return images.terminal(self.payload, border=border, error_correction=error_correction)

    def to_data_uri(
        self,
        format: Literal["png", "svg"] = "png",  # noqa: A002 - the word of every picture library
        *,
        icon: "Artwork | None" = None,
        **options: Unpack[PictureOptions],
    ) -> str:
        """Return the QR symbol as a `data:` URI for an `<img>`. Options as for `to_png`."""
        from bakong_khqr import images

        _check_format(format)
        draw = self.to_png if format == "png" else self.to_svg
        return images.data_uri(draw(icon=icon, **options))

    @overload
    def to_card(
        self,
        path: FilePath | None = None,
        *,
        format: Literal["png"] = "png",
        logo: "Artwork | None" = None,
        icon: "Artwork | None" = None,
        fonts: "Sequence[FontFile]" = (),
        **options: Unpack[CardOptions],
    ) -> bytes: ...

    @overload
    def to_card(
        self,
        path: FilePath | None = None,
        *,
        format: Literal["svg"],
        logo: "Artwork | None" = None,
        icon: "Artwork | None" = None,
        fonts: "Sequence[FontFile]" = (),
        **options: Unpack[CardOptions],
    ) -> str: ...

    def to_card(
        self,
        path: FilePath | None = None,
        *,
        format: Literal["png", "svg"] = "png",  # noqa: A002 - the word of every picture library
        logo: "Artwork | None" = None,
        icon: "Artwork | None" = None,
        fonts: "Sequence[FontFile]" = (),
        **options: Unpack[CardOptions],
    ) -> bytes | str:
        """Return the KHQR card: name, amount and symbol, 20 to 29; and write it to `path` when one is given.

        `logo` and `icon` are paths or bytes of PNGs; NBC's own aren't in this package. `fonts` are for names in other
        scripts than Latin and Khmer. `CardOptions` lists the other options. Raises as `to_png`, and `ValueError` for a
        width that phones can't read.
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
            logo=logo,
            icon=icon,
            fonts=fonts,
            **options,
        )
        _save(path, card if isinstance(card, bytes) else card.encode())
        return card


def _json_value(value: str | Decimal | datetime | None) -> str | None:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if value is None else str(value)


def _save(path: FilePath | None, content: bytes) -> None:
    if path is not None:
        from bakong_khqr._whole_file import write_file

        write_file(path, content)


def _check_format(format: str) -> None:  # noqa: A002
    if format not in ("png", "svg"):
        raise ValueError(f'format {shown(format)} is not known: "png" or "svg"')
