"""The values of Bakong's answers, and how each is read from JSON.

An answer isn't trusted: a member of the wrong type is an error, a missing optional member is None, and an unknown
member is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from attrs import field, frozen

from bakong_khqr.money import Currency

if TYPE_CHECKING:
    from bakong_khqr.api.confirmation import Confirmation
    from bakong_khqr.khqr import KHQR

MAX_AMOUNT_CHARACTERS = 13
"""The longest amount of a payload (EMVCo, transaction amount)."""

_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,11})?\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A relay answers even "scanned" and "expired" with success and one of these; Bakong's own transactions have none.
_RELAY_STATES = frozenset({"SCANNED", "UNPAID", "PENDING", "EXPIRED"})


class UnreadableMember(ValueError):  # noqa: N818 - named for what is wrong
    """A member of an answer is wrong. The reader of the call turns this into the error of its endpoint."""


@frozen(kw_only=True)
class Transaction:
    """A payment that Bakong knows. `matches(khqr)` says whether it is the payment that a code asked for."""

    hash: str
    """The hash of the transaction, 64 lower-case hexadecimal digits. It isn't the MD5 of the code."""
    from_account_id: str | None = field(repr=False)
    """The payer, often only the bank's alias (`demokhppxxx@demo`). Personal: kept out of the repr."""
    to_account_id: str
    """The Bakong account ID that was paid."""
    currency: Currency
    """The currency of the amount."""
    amount: Decimal
    """The amount in units of the currency, exactly as Bakong wrote it: finite, positive, at most 13 characters."""
    created_at: datetime | None
    """When the payer sent it; aware, in UTC. Live answers have whole seconds."""
    acknowledged_at: datetime | None
    """When Bakong recorded it, usually 1 to 2 s later; aware, in UTC."""
    description: str | None = field(repr=False)
    """The text of the payer's bank."""
    tracking_status: str | None
    """A status such as `RECEIVE_AT_RECEIVER_BANK` or `REFUNDED_BY_RECEIVER`; null in all known answers by MD5."""
    receiver_bank: str | None
    """The name of the bank that was paid."""
    receiver_bank_account: str | None = field(repr=False)
    """The account at that bank. Personal: kept out of the repr."""
    instruction_ref: str | None
    """The reference of the sender's instruction."""
    external_ref: str | None
    """The reference of the payer's bank (`100FT` and 11 digits from ABA). It is never the merchant's bill number."""

    def matches(self, khqr: KHQR, *, grace: timedelta = timedelta(minutes=2)) -> Confirmation:
        """Return whether `khqr` asked for this payment, with every difference. See `confirm`."""
        from bakong_khqr.api.confirmation import confirm

        return confirm(khqr, self, grace=grace)


@frozen(kw_only=True)
class Account:
    """A Bakong account that exists. The documented answer has nothing else, so every other field may be None."""

    account_id: str
    """The account ID that was asked for: `"sokha@aclb"`."""
    full_name: str | None = field(default=None, repr=False)
    """The holder's name. Personal: kept out of the repr."""
    account_status: str | None = None
    """Such as `ACTIVATED`."""
    kyc_status: str | None = None
    """Such as `FULL_KYC`."""
    can_receive: bool | None = None
    """Whether the account can be paid."""
    frozen: bool | None = None
    """Whether the account is frozen."""


@frozen
class DeepLink:
    """A link that opens the payer's bank app with the code in it. Each call makes a new link."""

    short_link: str
    """An `https` (or `http`) address. Its domain has changed before and isn't checked."""

    def __str__(self) -> str:
        return self.short_link


def state_of(tracking_status: str | None) -> str:
    """Return a tracking status for comparing: in capitals, without spaces around it, and empty for `None`."""
    return (tracking_status or "").strip().upper()


def transaction_of(data: object) -> Transaction:
    """Read a transaction. Raises `UnreadableMember` if it isn't one, or if it has a relay's state."""
    members = _object(data, "data")
    tracking_status = _optional_text(members, "trackingStatus")
    if "status" in members or state_of(tracking_status) in _RELAY_STATES:
        raise UnreadableMember("it has a state that only a relay's answer has")
    return Transaction(
        hash=_text(members, "hash"),
        from_account_id=_optional_text(members, "fromAccountId"),
        to_account_id=_text(members, "toAccountId"),
        currency=_currency(members),
        amount=_amount(members.get("amount")),
        # The second spelling is in the code of two other clients, which may have seen it.
        created_at=_moment(members, "createdDateMs", "createDateMs"),
        acknowledged_at=_moment(members, "acknowledgedDateMs", "acknowledgeDateMs"),
        description=_optional_text(members, "description"),
        tracking_status=tracking_status,
        receiver_bank=_optional_text(members, "receiverBank"),
        receiver_bank_account=_optional_text(members, "receiverBankAccount"),
        instruction_ref=_optional_text(members, "instructionRef"),
        external_ref=_optional_text(members, "externalRef"),
    )


def account_of(data: object, account_id: str) -> Account:
    """Read an account. Its data is null in Bakong's document, and an object in practice."""
    members = {} if data is None else _object(data, "data")
    return Account(
        account_id=account_id,
        full_name=_optional_text(members, "fullName"),
        account_status=_optional_text(members, "accountStatus"),
        kyc_status=_optional_text(members, "kycStatus"),
        can_receive=_optional_bool(members, "canReceive"),
        frozen=_optional_bool(members, "frozen"),
    )


def deep_link_of(data: object) -> DeepLink:
    """Read a deep link. It must be a web address, of any domain, because it is used in a page's `href`."""
    link = _text(_object(data, "data"), "shortLink")
    if not link.lower().startswith(("https://", "http://")) or not link.isprintable() or " " in link:
        raise UnreadableMember("shortLink isn't a web address")
    return DeepLink(link)


def token_text_of(data: object) -> str:
    """Read the text of an issued token."""
    return _text(_object(data, "data"), "token")


def _object(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise UnreadableMember(f"{name} must be an object, not {type(value).__name__}")
    return value


def _text(members: Mapping[str, object], name: str) -> str:
    value = _optional_text(members, name)
    if value is None or not value.strip():
        raise UnreadableMember(f"{name} is missing")
    return value


def _optional_text(members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise UnreadableMember(f"{name} must be text, not {type(value).__name__}")
    # JSON can write half a character or a NUL, which databases and terminals refuse.
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise UnreadableMember(f"{name} has a character that isn't text")
    return value


def _optional_bool(members: Mapping[str, object], name: str) -> bool | None:
    value = members.get(name)
    if value is not None and not isinstance(value, bool):
        raise UnreadableMember(f"{name} must be true, false or null, not {type(value).__name__}")
    return value


def _currency(members: Mapping[str, object]) -> Currency:
    name = _text(members, "currency")
    if name not in Currency.__members__:
        raise UnreadableMember(f"currency must be {' or '.join(Currency)}")
    return Currency[name]


def _amount(value: object) -> Decimal:
    """Return the amount of a JSON number or string. It must be finite, positive, and have at most 13 characters."""
    if (
        isinstance(value, Decimal)
        and value.is_finite()
        and -MAX_AMOUNT_CHARACTERS <= value.adjusted() <= MAX_AMOUNT_CHARACTERS
    ):
        written = f"{value:f}"
    elif type(value) is int and abs(value) < 10**MAX_AMOUNT_CHARACTERS:
        written = str(value)
    elif isinstance(value, str):
        written = value
    else:
        raise UnreadableMember(f"amount must be a number of at most {MAX_AMOUNT_CHARACTERS} characters")
    if len(written) > MAX_AMOUNT_CHARACTERS or not _AMOUNT.match(written) or Decimal(written) == 0:
        raise UnreadableMember(f"amount must be positive and at most {MAX_AMOUNT_CHARACTERS} characters")
    return Decimal(written)


def _moment(members: Mapping[str, object], *names: str) -> datetime | None:
    """Return the first of the members that exists, in milliseconds since 1970, as a datetime in UTC."""
    value = next((members[name] for name in names if members.get(name) is not None), None)
    if value is None:
        return None
    if type(value) is not int and not isinstance(value, Decimal):
        raise UnreadableMember(f"{names[0]} must be a number of milliseconds, not {type(value).__name__}")
    # Python's calendar ends at the year 10000. NaN can't be compared.
    if (isinstance(value, Decimal) and not value.is_finite()) or not 0 <= value < 253_402_300_800_000:
        raise UnreadableMember(f"{names[0]} isn't a valid date")
    return _EPOCH + timedelta(milliseconds=int(value))
