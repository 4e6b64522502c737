"""What an endpoint's answer means: delivered, try again, or stop."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from bakong_service.domain.delivery import AttemptResult, Verdict

_GONE = 410
_SAYS_WHEN = {429, 502, 503, 504}


def verdict(answer: AttemptResult) -> Verdict:
    """Return what an answer means: 2xx is delivered, 410 is gone, and anything else (a redirect too) is tried again."""
    if answer.status is not None and 200 <= answer.status < 300:
        return Verdict.DELIVERED
    return Verdict.GONE if answer.status == _GONE else Verdict.RETRY


def retry_after(answer: AttemptResult, *, now: datetime) -> timedelta | None:
    """Return how long the endpoint asks to wait (RFC 9110, 10.2.3); None if it doesn't say, or can't be read."""
    if answer.status not in _SAYS_WHEN or answer.retry_after is None:
        return None
    text = answer.retry_after.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 366 * 86_400))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError):  # the error depends on the Python version and on the text
        return None
    if at.tzinfo is None:  # no zone, as in asctime or "-0000": dates of HTTP are UTC (RFC 9110, 5.6.7)
        at = at.replace(tzinfo=UTC)
    return max(at - now, timedelta(0))
