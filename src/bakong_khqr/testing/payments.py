"""The payments that payers made, found by each key that Bakong takes."""

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import attrs

from bakong_khqr.money import Currency
from bakong_khqr.testing.exchange import write_number


@attrs.frozen(kw_only=True)
class SimulatedPayment:
    """One payment as Bakong keeps it."""

    md5: str
    """The MD5 of the payload that was paid."""
    hash: str
    """The transaction's hash, 64 hexadecimal digits."""
    from_account_id: str
    """The payer's Bakong account ID."""
    to_account_id: str
    """The Bakong account ID that was paid."""
    currency: Currency
    """The currency of the amount."""
    amount: Decimal
    """The amount in units of the currency."""
    created_at_ms: int
    """When the payer sent it, in milliseconds since 1970."""
    acknowledged_at_ms: int
    """When Bakong recorded it, in milliseconds since 1970."""
    visible_at_ms: int
    """When checks begin to see it, in milliseconds since 1970."""
    description: str | None = None
    """The text of the payer's bank."""
    tracking_status: str | None = None
    """A status such as `REFUNDED_BY_RECEIVER`."""
    receiver_bank: str | None = None
    """The name of the bank that was paid."""
    receiver_bank_account: str | None = None
    """The account at that bank."""
    instruction_ref: str | None = None
    """The reference of the sender's instruction."""
    external_ref: str | None = None
    """The reference of the payer's bank."""
    failed: bool = False
    """Whether the transaction failed, so that no money moved."""

    def to_wire(self, *, amount_as_text: bool = False) -> dict[str, Any]:
        """Return the 13 members of a transaction as the answer has them."""
        return {
            "hash": self.hash,
            "fromAccountId": self.from_account_id,
            "toAccountId": self.to_account_id,
            "currency": self.currency,
            "amount": write_number(self.amount) if amount_as_text else self.amount,
            "description": self.description,
            "createdDateMs": self.created_at_ms,
            "acknowledgedDateMs": self.acknowledged_at_ms,
            "trackingStatus": self.tracking_status,
            "receiverBank": self.receiver_bank,
            "receiverBankAccount": self.receiver_bank_account,
            "instructionRef": self.instruction_ref,
            "externalRef": self.external_ref,
        }


class PaymentLedger:
    """Every payment, found by each key that Bakong takes."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._payments: list[SimulatedPayment] = []
        self._by_key: dict[tuple[str, str], list[SimulatedPayment]] = {}

    def add(self, payment: SimulatedPayment) -> None:
        """Keep a payment."""
        self._payments.append(payment)
        for key in self._keys(payment):
            self._by_key.setdefault(key, []).append(payment)

    def find(self, by: str, key: str) -> list[SimulatedPayment]:
        """Return payments by `md5`, `hash`, `short_hash`, `instruction_ref` or `external_ref`, oldest first."""
        return self._by_key.get((by, key), [])

    def latest(self, count: int) -> list[SimulatedPayment]:
        """Return the last payments, newest first."""
        return self._payments[: -count - 1 : -1]

    def __len__(self) -> int:
        return len(self._payments)

    def new_hash(self) -> str:
        """Return a new transaction hash: 64 random hexadecimal digits."""
        return f"{self._rng.getrandbits(256):064x}"

    def new_external_ref(self) -> str:
        """Return the reference of a payer's bank as ABA writes it."""
        return f"100FT{self._rng.randrange(10**11):011}"

    @staticmethod
    def _keys(payment: SimulatedPayment) -> Iterator[tuple[str, str]]:
        yield "md5", payment.md5
        yield "hash", payment.hash
        yield "short_hash", payment.hash[:8]
        if payment.instruction_ref is not None:
            yield "instruction_ref", payment.instruction_ref
        if payment.external_ref is not None:
            yield "external_ref", payment.external_ref
