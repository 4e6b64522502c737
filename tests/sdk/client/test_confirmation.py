"""Paid means: this account, this currency, this amount, in its time. Everything that differs is said."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bakong_khqr import KHQR, Currency
from bakong_khqr.api import Transaction, confirm

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
EXPIRY = NOW + timedelta(minutes=10)


@pytest.fixture
def transaction() -> Transaction:
    """The payment that the code asks for, a minute after it was made."""
    return Transaction(
        hash="0a1b2c3d" * 8,
        from_account_id="demokhppxxx@demo",
        to_account_id="sokha@aclb",
        currency=Currency.USD,
        amount=Decimal("2.5"),
        created_at=NOW + timedelta(minutes=1),
        acknowledged_at=NOW + timedelta(minutes=1, seconds=1),
        description=None,
        tracking_status=None,
        receiver_bank=None,
        receiver_bank_account=None,
        instruction_ref=None,
        external_ref=None,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"amount": Decimal("2.500")},
        {"amount": Decimal("25E-1")},
        {"created_at": NOW},
        {"created_at": NOW - timedelta(minutes=2)},
        {"created_at": EXPIRY + timedelta(minutes=2)},
        {"created_at": None},
        {"tracking_status": "RECEIVE_AT_RECEIVER_BANK"},
        {"tracking_status": "receive_at_receiver_bank "},
        {"tracking_status": "A_STATUS_OF_TOMORROW"},
        {"tracking_status": " "},
    ],
    ids=str,
)
def test_the_payment_that_was_asked_for_is_confirmed(
    khqr: KHQR, transaction: Transaction, changes: dict[str, Any]
) -> None:
    verdict = confirm(khqr, attrs.evolve(transaction, **changes))
    assert verdict
    assert verdict.differences == ()
    assert str(verdict) == "as asked for"


DIFFERENT = [
    ({"to_account_id": "sokha@abaa"}, "to_account_id: expected sokha@aclb, was sokha@abaa"),
    ({"to_account_id": "Sokha@aclb"}, "to_account_id: expected sokha@aclb, was Sokha@aclb"),
    ({"to_account_id": "sokha@aclb "}, "to_account_id: expected sokha@aclb, was 'sokha@aclb '"),
    ({"to_account_id": "sokha@aclb\u200b"}, r"to_account_id: expected sokha@aclb, was 'sokha@aclb\u200b'"),
    ({"to_account_id": "sokh\u0430@aclb"}, r"to_account_id: expected sokha@aclb, was 'sokh\u0430@aclb'"),
    ({"currency": Currency.KHR}, "currency: expected USD, was KHR"),
    ({"amount": Decimal("0.01")}, "amount: expected 2.50, was 0.01"),
    ({"amount": Decimal("2.49")}, "amount: expected 2.50, was 2.49"),
    ({"amount": Decimal("2.51")}, "amount: expected 2.50, was 2.51"),
    ({"amount": Decimal("250")}, "amount: expected 2.50, was 250"),
    (
        {"created_at": NOW - timedelta(minutes=2, seconds=1)},
        "created_at: expected 2026-11-23T10:00:00+00:00, was 2026-11-23T09:57:59+00:00",
    ),
    (
        {"created_at": EXPIRY + timedelta(minutes=2, seconds=1)},
        "created_at: expected 2026-11-23T10:10:00+00:00, was 2026-11-23T10:12:01+00:00",
    ),
    ({"tracking_status": "REFUNDED_BY_RECEIVER"}, "tracking_status: expected nothing, was REFUNDED_BY_RECEIVER"),
    *(
        (
            {"tracking_status": status},
            f"tracking_status: expected nothing, was {repr(status) if ' ' in status else status}",
        )
        for status in (
            "FAILED_AT_ACH",
            "failed_at_ach",
            " FAILED_AT_ACH",
            "FAILED",
            "Failure",
            "REFUNDED",
            "refunded_by_receiver ",
            "REJECTED",
            "CANCELLED",
            "CANCELED",
            "REVERSED",
            "REVERSAL",
            "UNPAID_YET",
        )
    ),
]


@pytest.mark.parametrize(("changes", "said"), DIFFERENT)
def test_a_payment_that_differs_is_not_confirmed(
    khqr: KHQR, transaction: Transaction, changes: dict[str, Any], said: str
) -> None:
    verdict = attrs.evolve(transaction, **changes).matches(khqr)
    assert not verdict
    assert [difference.field for difference in verdict.differences] == list(changes)
    assert str(verdict) == said


def test_every_difference_is_said(khqr: KHQR, transaction: Transaction) -> None:
    other = attrs.evolve(
        transaction,
        to_account_id="x@y",
        currency=Currency.KHR,
        amount=Decimal(1),
        created_at=EXPIRY + timedelta(days=1),
    )
    assert [each.field for each in confirm(khqr, other).differences] == [
        "to_account_id",
        "currency",
        "amount",
        "created_at",
    ]


def test_grace_is_the_callers(khqr: KHQR, transaction: Transaction) -> None:
    late = attrs.evolve(transaction, created_at=EXPIRY + timedelta(seconds=30))
    assert late.matches(khqr)
    assert not late.matches(khqr, grace=timedelta(0))


def test_a_static_code_without_an_amount_takes_any(transaction: Transaction) -> None:
    static = KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee", currency="USD")
    assert confirm(static, attrs.evolve(transaction, amount=Decimal("99.99")))
    assert not confirm(static, attrs.evolve(transaction, currency=Currency.KHR))


def test_a_creation_within_the_same_second_is_not_too_early(transaction: Transaction) -> None:
    """Bakong cuts its times to whole seconds, so a payment can seem older than the code that it paid."""
    made = NOW + timedelta(milliseconds=900)
    code = KHQR.individual(
        bakong_account_id="sokha@aclb",
        merchant_name="Sokha Coffee",
        currency="USD",
        amount="2.50",
        created_at=made,
        expires_in=timedelta(minutes=10),
    )
    assert confirm(code, attrs.evolve(transaction, created_at=NOW), grace=timedelta(0))


@pytest.mark.parametrize("wrong", [None, 5, "00020101"])
def test_only_a_khqr_and_a_transaction_are_compared(khqr: KHQR, transaction: Transaction, wrong: Any) -> None:
    with pytest.raises(TypeError, match="khqr: must be a KHQR"):
        transaction.matches(wrong)
    with pytest.raises(TypeError, match="transaction: must be a Transaction"):
        confirm(khqr, wrong)


@pytest.mark.parametrize(
    ("recorded_at", "fields"),
    [
        (NOW - timedelta(minutes=2), []),
        (NOW - timedelta(minutes=2, seconds=1), ["acknowledged_at"]),
        (EXPIRY + timedelta(hours=1), []),  # when the payer sent it isn't known
        (None, []),
    ],
)
def test_a_payment_that_was_recorded_before_the_code_was_made_is_another(
    khqr: KHQR, transaction: Transaction, recorded_at: datetime | None, fields: list[str]
) -> None:
    verdict = confirm(khqr, attrs.evolve(transaction, created_at=None, acknowledged_at=recorded_at))
    assert [each.field for each in verdict.differences] == fields
