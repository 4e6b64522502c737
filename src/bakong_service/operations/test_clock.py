"""Moves the test clock forward, in test mode."""

from datetime import timedelta

from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage import test_clock


def advance(work: UnitOfWork, by: timedelta) -> timedelta:
    """Move the clock forward, and return how far ahead it is now. It never moves back: past events keep their times."""
    ahead = test_clock.advance(work.connection, by)
    work.audit("clock.advanced", details={"seconds": by.total_seconds()})
    return ahead
