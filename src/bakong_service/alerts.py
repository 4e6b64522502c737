"""Counts what a person should look at: every line that this process logs at the level error, by its event."""

from collections import Counter

from structlog.typing import EventDict, WrappedLogger

COUNTS: Counter[str] = Counter()
"""How often each was logged since the process began. The log is the process's own, and so is this."""


def counted(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Count an event of the log. A processor of structlog, which changes nothing."""
    if method in ("error", "exception", "critical"):
        COUNTS[str(event.get("event", ""))] += 1
    return event
