"""What an endpoint's answer means: delivered, try again, or never again."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from bakong_service.domain.delivery import Answer, Verdict

_GONE = 410
_SAYS_WHEN = {429, 502, 503, 504}


def verdict(answer: Answer) -> Verdict:
    """2xx is delivered and 410 is gone; all else, a redirect too, is tried again: it was not taken."""
    if answer.status is not None and 200 <= answer.status < 300:
        return Verdict.DELIVERED
    return Verdict.GONE if answer.status == _GONE else Verdict.RETRY


def retry_after(answer: Answer, *, now: datetime) -> timedelta | None:
    """How long the endpoint asks to wait (RFC 9110, 10.2.3); None where it doesn't say, or not in a way to be read."""
    if answer.status not in _SAYS_WHEN or answer.retry_after is None:
        return None
    text = answer.retry_after.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 366 * 86_400))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError):  # how it fails differs between Pythons and texts
        return None
    if at.tzinfo is None:  # asctime's form and "-0000" name no zone; a date of HTTP is always UTC (RFC 9110, 5.6.7)
        at = at.replace(tzinfo=UTC)
    return max(at - now, timedelta(0))
