"""Compares a transaction with the payment that a KHQR asked for: account, currency, amount and time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from attrs import frozen

from bakong_khqr._kinds import checked_duration
from bakong_khqr.api.answers import Transaction, state_of
from bakong_khqr.khqr import KHQR
from bakong_khqr.payload._alphabet import Alphabet, first_refused

# The beginnings of states in which the receiver doesn't have the money, such as the documented `FAILED_AT_ACH` and
# `REFUNDED_BY_RECEIVER`. Bakong may use other states, and any state that begins otherwise proves nothing.
_NOT_RECEIVED = ("FAIL", "REFUND", "REJECT", "CANCEL", "REVERS", "UNPAID")


@frozen(kw_only=True)
class Difference:
    """One thing that differs from what the code asked for."""

    field: str
    """The transaction's attribute: `to_account_id`, `currency`, `amount`, `created_at`, `acknowledged_at` or
    `tracking_status`."""
    expected: object
    """What the code asks for. For a time it is the bound that was crossed, for `tracking_status` it is None."""
    actual: object
    """What Bakong answered."""

    def __str__(self) -> str:
        expected, actual = (_shown(value) for value in (self.expected, self.actual))
        return f"{self.field}: expected {expected}, was {actual}"


@frozen(kw_only=True)
class Confirmation:
    """The result of comparing. It is truthy if the code asked for this payment."""

    transaction: Transaction
    """The transaction that was compared."""
    differences: tuple[Difference, ...]
    """Every difference; empty if the code asked for this payment."""

    def __bool__(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        return "; ".join(map(str, self.differences)) or "as asked for"


def confirm(khqr: KHQR, transaction: Transaction, *, grace: timedelta = timedelta(minutes=2)) -> Confirmation:
    """Compare a payment with what `khqr` asked for, and list every difference.

    Accounts must be equal in every letter. Amounts are compared by value (`2.5` is `2.50`), and a code without one
    takes any amount. The payer's time must be between the creation and the expiry of the code, both widened by `grace`,
    because clocks differ and a payer may be paying. A time that is missing isn't compared. If the payer's time is
    missing, Bakong must not have recorded the payment before the creation of the code.

    Raises `TypeError` for anything but a `KHQR`, a `Transaction` and a `timedelta`, and `InvalidRequest` for a negative
    `grace`.
    """
    if not isinstance(khqr, KHQR):
        raise TypeError(f"khqr: must be a KHQR, not {type(khqr).__name__}; KHQR.decode reads a payload")
    if not isinstance(transaction, Transaction):
        raise TypeError(f"transaction: must be a Transaction, not {type(transaction).__name__}")
    checked_duration("grace", grace)
    return Confirmation(transaction=transaction, differences=tuple(_differences(khqr, transaction, grace)))


def says_not_received(tracking_status: str | None) -> bool:
    """Return whether a tracking status means that the money didn't arrive or went back."""
    return state_of(tracking_status).startswith(_NOT_RECEIVED)


def _differences(khqr: KHQR, transaction: Transaction, grace: timedelta) -> Iterator[Difference]:
    if transaction.to_account_id != khqr.bakong_account_id:
        yield Difference(field="to_account_id", expected=khqr.bakong_account_id, actual=transaction.to_account_id)
    if transaction.currency != khqr.currency:
        yield Difference(field="currency", expected=khqr.currency, actual=transaction.currency)
    if khqr.amount is not None and transaction.amount != khqr.amount:
        yield Difference(field="amount", expected=khqr.amount, actual=transaction.amount)
    if (sent := transaction.created_at) is not None:
        # Bakong cuts times to whole seconds, so the creation of the code is cut too.
        if khqr.created_at is not None and sent < khqr.created_at.replace(microsecond=0) - grace:
            yield Difference(field="created_at", expected=khqr.created_at, actual=sent)
        if khqr.expires_at is not None and sent > khqr.expires_at + grace:
            yield Difference(field="created_at", expected=khqr.expires_at, actual=sent)
    elif (
        (recorded := transaction.acknowledged_at) is not None
        and khqr.created_at is not None
        and recorded < khqr.created_at.replace(microsecond=0) - grace
    ):  # Bakong records a payment after the payer sent it, so this one was sent too early
        yield Difference(field="acknowledged_at", expected=khqr.created_at, actual=recorded)
    if says_not_received(transaction.tracking_status):
        yield Difference(field="tracking_status", expected=None, actual=transaction.tracking_status)


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    if value is None:
        return "nothing"
    text = str(value)
    # A space, an invisible character and a letter that looks like an ASCII letter are made visible: "sokh\u0430@aclb".
    return text if first_refused(Alphabet.VISIBLE_ASCII, text) is None else ascii(text)
