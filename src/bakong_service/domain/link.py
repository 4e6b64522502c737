"""A payment link: a public address that sells one thing. Each visitor who wants to pay gets a payment of their own."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from attrs import frozen

from bakong_service.domain.money import Money

CODE_LENGTH = 10
OPEN_AT_ONCE = 100
"""The most payments of one link that may be open at once."""
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no 0 and o, no 1, i and l: a printed code is typed by people
_RANDOM_BITS = 128  # so many more than a code needs that no character is noticeably likelier than another


class LinkOver(Exception):  # noqa: N818 - what happened
    """The link is closed, has expired, or is used up. Only a page is told, so this isn't a problem of the API."""


class WrongAmount(Exception):  # noqa: N818 - what happened
    """The payer entered no amount, or one that is out of the link's bounds."""


class LinkState(StrEnum):
    """Whether a link sells anything."""

    OPEN = "open"
    USED_UP = "used_up"
    EXPIRED = "expired"
    CLOSED = "closed"


@frozen(kw_only=True)
class NewLink:
    """What a link sells: an amount, a plan for a user, or an amount that the payer enters, from `least` to `most`."""

    amount: Money | None = None
    plan: str | None = None
    user_id: str | None = None
    least: Money | None = None
    most: Money | None = None
    description: str | None = None
    metadata: dict[str, str] | None = None
    max_uses: int | None = None
    expires_at: datetime | None = None


@frozen(kw_only=True)
class Link(NewLink):
    """A link as it stands."""

    id: int
    reference: str
    code: str
    opened: int  # visitors who opened it
    created_at: datetime
    closed_at: datetime | None = None


@frozen(kw_only=True)
class Uses:
    """How many payments of a link there are."""

    open: int = 0
    paid: int = 0
    refunded: int = 0  # of which all of the money was sent back


@frozen(kw_only=True)
class Sales:
    """What a link's payments came to. The amounts are minor units of the link's currency."""

    uses: Uses = Uses()
    received: int = 0  # what came and bought something, or became credit, before any refund
    refunded: int = 0  # how much of that was sent back


def new_code(random_bits: Callable[[int], int]) -> str:
    """Return a code of ten characters, none of which looks like another."""
    number, code = random_bits(_RANDOM_BITS), ""
    for _ in range(CODE_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        code += _ALPHABET[digit]
    return code


def state_of(link: Link, uses: Uses, now: datetime) -> LinkState:
    """Return whether the link sells anything now. An open payment counts as a use, because it may be paid."""
    if link.closed_at is not None:
        return LinkState.CLOSED
    if link.expires_at is not None and now >= link.expires_at:
        return LinkState.EXPIRED
    if link.max_uses is not None and uses.paid + uses.open >= link.max_uses:
        return LinkState.USED_UP
    return LinkState.OPEN


def amount_of(link: NewLink, entered: Money | None) -> Money | None:
    """Return the amount that a visitor pays; None for a plan, whose price is the plan's. Raises `WrongAmount`."""
    if link.least is None or link.most is None:
        return link.amount
    if entered is None or not link.least.minor <= entered.minor <= link.most.minor:
        raise WrongAmount(f"must be from {link.least} to {link.most} {link.least.currency}")
    return entered
