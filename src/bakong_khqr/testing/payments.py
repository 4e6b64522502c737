"""What payers did, as Bakong keeps it, found by any key Bakong is asked by."""

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import attrs

from bakong_khqr.money import Currency
from bakong_khqr.testing.exchange import write_number


@attrs.frozen(kw_only=True)
class SimulatedPayment:
    """One payment as Bakong would keep it. `failed` ones took no money; `visible_at_ms` is when checks first see it."""

    md5: str
    hash: str
    from_account_id: str
    to_account_id: str
    currency: Currency
    amount: Decimal
    created_at_ms: int
    acknowledged_at_ms: int
    visible_at_ms: int
    description: str | None = None
    tracking_status: str | None = None
    receiver_bank: str | None = None
    receiver_bank_account: str | None = None
    instruction_ref: str | None = None
    external_ref: str | None = None
    failed: bool = False

    def to_wire(self, *, amount_as_text: bool = False) -> dict[str, Any]:
        """The 13 members of a Transaction, named as on the wire."""
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
    """Every payment, found by any key Bakong is asked by. It grows with them."""

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
        """Payments by `md5`, `hash`, `short_hash`, `instruction_ref` or `external_ref`, oldest first."""
        return self._by_key.get((by, key), [])

    def latest(self, count: int) -> list[SimulatedPayment]:
        """The last payments, newest first."""
        return self._payments[: -count - 1 : -1]

    def __len__(self) -> int:
        return len(self._payments)

    def new_hash(self) -> str:
        """A transaction hash: 64 hex digits that nothing else has."""
        return f"{self._rng.getrandbits(256):064x}"

    def new_external_ref(self) -> str:
        """A payer bank's reference as ABA writes it."""
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
