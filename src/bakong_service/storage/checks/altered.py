"""The promises that a row is still as the service wrote it: payments against their QR (I16), API keys (I17).

Only somebody who writes to the database by hand breaks them. The QR is sealed, and a key's row has a keyed hash.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from bakong_khqr import KHQR
from bakong_service.domain.money import Money
from bakong_service.storage import api_keys
from bakong_service.storage.checks.invariants import Violation
from bakong_service.storage.schema import payments
from bakong_service.vault import Unopenable, Vault

PAYMENTS = "a payment that may still be paid has the amount, account, bill number and MD5 of its QR"
KEYS = "an API key has the scopes, networks and times that the service wrote"

_AT_ONCE = 1000
_OPEN = select(
    payments.c.reference, payments.c.qr_enc, payments.c.amount, payments.c.currency, payments.c.to_account,
    payments.c.bill_number, payments.c.md5,
).where(or_(payments.c.status == "pending", payments.c.next_check_at.is_not(None)))  # fmt: skip


def altered_payments(connection: Connection, vault: Vault) -> Iterator[Violation]:
    """Yield every payment whose money is still looked for, and whose row asks for something else than its QR."""
    for row in connection.execute(_OPEN.execution_options(yield_per=_AT_ONCE)):
        try:
            khqr = KHQR.decode(vault.open(row.qr_enc, f"payments.qr_enc.{row.reference}"))
        except Unopenable:
            continue  # I15 names it
        shown, stored = _of_qr(khqr), _of_row(row)
        if shown != stored:
            found = "; ".join(
                f"{name} {stored[name]}, its QR {shown[name]}" for name in shown if shown[name] != stored[name]
            )
            yield Violation(invariant="I16", promise=PAYMENTS, subject=row.reference, found=found)


def altered_keys(connection: Connection, vault: Vault) -> Iterator[Violation]:
    """Yield every API key whose row isn't the one that the service wrote."""
    for key in api_keys.every(connection):
        if not api_keys.is_genuine(vault, key):
            found = f"{' '.join(sorted(key.scopes))}, not as it was written"
            yield Violation(invariant="I17", promise=KEYS, subject=key.key_id, found=found)


def _of_qr(khqr: KHQR) -> dict[str, Any]:
    return {
        "amount": khqr.amount,
        "currency": str(khqr.currency),
        "account": khqr.bakong_account_id,
        "bill number": khqr.bill_number,
        "MD5": khqr.md5,
    }


def _of_row(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    return {
        "amount": Money(row.amount, row.currency).decimal,
        "currency": row.currency,
        "account": row.to_account,
        "bill number": row.bill_number,
        "MD5": row.md5,
    }
