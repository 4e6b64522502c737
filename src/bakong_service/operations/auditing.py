"""What an operator does to the audit log itself: remove the lines that are too old to be needed."""

from datetime import timedelta

from bakong_service.domain.errors import Fault, Invalid
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage import audit

LEAST_AGE = timedelta(days=366)
"""Younger lines are never removed. The database itself refuses it for a year."""

_AT_ONCE = 10_000


def prune(work: UnitOfWork, *, older_than: timedelta) -> int:
    """Remove up to ten thousand of the oldest lines, and write a line that says so. Return how many were removed.

    Raises `Invalid` for an age below `LEAST_AGE`.
    """
    if older_than < LEAST_AGE:
        rule = f"must be at least {LEAST_AGE.days} days"
        raise Invalid("invalid_request", f"lines of the audit log are kept for a year: --older-than {rule}", (
            Fault("/older_than", "invalid_request", rule),
        ))  # fmt: skip
    before = work.now - older_than
    removed, through = audit.remove_oldest(work.connection, before=before, limit=_AT_ONCE)
    if removed:
        details = {"lines": removed, "last_number": through, "older_than_days": older_than.days}
        work.audit("audit.pruned", None, level=audit.SECURITY, details=details)
    return removed
