"""Turns an answer of the SDK's client into an outcome. An error never becomes "not found"."""

import json
import re
from datetime import datetime, timedelta

from attrs import asdict

from bakong_khqr.api import Transaction
from bakong_khqr.api.confirmation import says_not_received
from bakong_khqr.errors import (
    BakongError,
    Blocked,
    InvalidRequest,
    QuotaExceeded,
    RateLimited,
    ServerUnavailable,
    StaticQRNotSupported,
    TransactionFailed,
    Unauthorized,
    UnreadableTransaction,
)
from bakong_service.domain.allowance import next_day
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.workers.budget import BudgetSpent

_REASONS: tuple[tuple[type[BakongError], str], ...] = (
    (RateLimited, "rate_limited"),
    (QuotaExceeded, "quota"),
    (Unauthorized, "unauthorized"),
    (Blocked, "blocked"),
    (ServerUnavailable, "server_unavailable"),
    (InvalidRequest, "invalid_request"),
)
_HASH = re.compile("[0-9a-f]{64}")
_AFTER_RATE_LIMIT = timedelta(seconds=30)  # if Bakong names no time
_SPREAD = timedelta(minutes=10)  # so that not all payments are asked for in the same second
QUOTA_PROBE = timedelta(hours=1)
"""How long Bakong isn't asked after it said that the quota is spent. Nobody knows exactly when the quota is renewed."""


def outcome_of(
    answer: Transaction | BakongError | None, *, asked_at: datetime, spread: int = 0, skew: timedelta = timedelta(0)
) -> Outcome:
    """Return an answer as an outcome.

    `spread` is any number of the payment, which decides when it is asked for after the quota is renewed. `skew` is how
    far Bakong's clock is ahead of ours.
    """
    match answer:
        case None:
            return Outcome(answer=Answer.NOT_FOUND, asked_at=asked_at)
        case Transaction():
            return _found(answer, asked_at, skew)
        case TransactionFailed():
            return Outcome(answer=Answer.FAILED_TX, asked_at=asked_at)
        case StaticQRNotSupported():
            return Outcome(answer=Answer.STATIC_QR, asked_at=asked_at)
        case UnreadableTransaction():
            return Outcome(answer=Answer.UNREADABLE, asked_at=asked_at, raw=answer.body.decode("utf-8", "replace"))
        case _:
            return _no_answer(answer, asked_at, spread)


def _found(transaction: Transaction, asked_at: datetime, skew: timedelta) -> Outcome:
    raw, tx_hash = _raw(transaction), _one_form(transaction.hash)
    if tx_hash is None:
        return Outcome(answer=Answer.UNREADABLE, asked_at=asked_at, raw=raw)
    sighting = _sighting(transaction, tx_hash)
    return Outcome(answer=Answer.FOUND, asked_at=asked_at, sighting=sighting, raw=raw, skew=skew)


def _one_form(tx_hash: str) -> str | None:
    """Return a transaction hash in 64 lower-case hexadecimal digits, so that one transfer never counts as two.

    Spaces around the hash and capitals are allowed. Return None for any other text.
    """
    lowered = tx_hash.strip().lower()
    return lowered if _HASH.fullmatch(lowered) else None


def _no_answer(error: BakongError, asked_at: datetime, spread: int) -> Outcome:
    reason = next((reason for kind, reason in _REASONS if isinstance(error, kind)), "unexpected_answer")
    retry_at = error.retry_at
    if reason == "rate_limited":
        retry_at = retry_at or asked_at + _AFTER_RATE_LIMIT
    elif reason == "quota":
        tomorrow = after_quota(asked_at, spread)
        retry_at = tomorrow if isinstance(error, BudgetSpent) else min(tomorrow, asked_at + QUOTA_PROBE)
    return Outcome(answer=Answer.NO_ANSWER, asked_at=asked_at, reason=reason, retry_at=retry_at)


def after_quota(now: datetime, spread: int) -> datetime:
    """Return when to ask again after the day's calls are spent: within minutes after midnight in Phnom Penh."""
    return next_day(now) + timedelta(seconds=spread % int(_SPREAD.total_seconds()))


def _sighting(transaction: Transaction, tx_hash: str) -> Sighting:
    return Sighting(
        tx_hash=tx_hash,
        amount=transaction.amount,
        currency=transaction.currency.value,
        to_account=transaction.to_account_id,
        from_account=transaction.from_account_id,
        external_ref=transaction.external_ref,
        sent_at=transaction.created_at,
        acknowledged_at=transaction.acknowledged_at,
        tracking_status=transaction.tracking_status,
        is_received=not says_not_received(transaction.tracking_status),
    )


def _raw(transaction: Transaction) -> str:
    return json.dumps(asdict(transaction), default=str, ensure_ascii=False)
