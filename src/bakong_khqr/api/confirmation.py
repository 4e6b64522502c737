"""Whether a transaction is the payment that a KHQR asked for: this account, this currency, this amount, in its time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from attrs import frozen

from bakong_khqr.api.answers import Transaction, state_of
from bakong_khqr.khqr import KHQR

# How states begin in which the money isn't with the receiver, such as the documented `FAILED_AT_ACH` and
# `REFUNDED_BY_RECEIVER`. The list of states is open: of those that begin otherwise an unknown one proves nothing.
_NOT_RECEIVED = ("FAIL", "REFUND", "REJECT", "CANCEL", "REVERS", "UNPAID")


@frozen(kw_only=True)
class Difference:
    """One thing that isn't as the code asked for."""

    field: str
    """The transaction's attribute: `to_account_id`, `currency`, `amount`, `created_at` or `tracking_status`."""
    expected: object
    """What the code asks for; for `created_at` the bound that was crossed, for `tracking_status` None."""
    actual: object
    """What Bakong answered."""

    def __str__(self) -> str:
        expected, actual = (_shown(value) for value in (self.expected, self.actual))
        return f"{self.field}: expected {expected}, was {actual}"


@frozen(kw_only=True)
class Confirmation:
    """The verdict. Truthy when the transaction is the payment that was asked for."""

    transaction: Transaction
    differences: tuple[Difference, ...]

    def __bool__(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        return "; ".join(map(str, self.differences)) or "as asked for"


def confirm(khqr: KHQR, transaction: Transaction, *, grace: timedelta = timedelta(minutes=2)) -> Confirmation:
    """Compare what was paid with what `khqr` asked for, and list every difference.

    Accounts must be equal to the letter. Amounts are equal by value (`2.5` is `2.50`); a code without an amount takes
    any. The payer's time must lie between the code's creation and expiration, each widened by `grace` for clocks that
    differ and a payer who was under way; a time that either side doesn't state isn't compared.

    Raises `TypeError` for anything but a `KHQR` and a `Transaction`.
    """
    if not isinstance(khqr, KHQR):
        raise TypeError(f"khqr: must be a KHQR, not {type(khqr).__name__}; KHQR.decode reads a payload")
    if not isinstance(transaction, Transaction):
        raise TypeError(f"transaction: must be a Transaction, not {type(transaction).__name__}")
    return Confirmation(transaction=transaction, differences=tuple(_differences(khqr, transaction, grace)))


def says_not_received(tracking_status: str | None) -> bool:
    """Whether a tracking status says that the money failed to come or went back, in whatever case it is written."""
    return state_of(tracking_status).startswith(_NOT_RECEIVED)


def _differences(khqr: KHQR, transaction: Transaction, grace: timedelta) -> Iterator[Difference]:
    if transaction.to_account_id != khqr.bakong_account_id:
        yield Difference(field="to_account_id", expected=khqr.bakong_account_id, actual=transaction.to_account_id)
    if transaction.currency != khqr.currency:
        yield Difference(field="currency", expected=khqr.currency, actual=transaction.currency)
    if khqr.amount is not None and transaction.amount != khqr.amount:
        yield Difference(field="amount", expected=khqr.amount, actual=transaction.amount)
    if (sent := transaction.created_at) is not None:
        # Bakong's times are cut to whole seconds, so the code's creation is too.
        if khqr.created_at is not None and sent < khqr.created_at.replace(microsecond=0) - grace:
            yield Difference(field="created_at", expected=khqr.created_at, actual=sent)
        if khqr.expires_at is not None and sent > khqr.expires_at + grace:
            yield Difference(field="created_at", expected=khqr.expires_at, actual=sent)
    if says_not_received(transaction.tracking_status):
        yield Difference(field="tracking_status", expected=None, actual=transaction.tracking_status)


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return "nothing" if value is None else str(value)
