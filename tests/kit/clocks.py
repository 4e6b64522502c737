"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

from bakong_service.clock import Clock

BEGIN = datetime(2026, 11, 1, 12, tzinfo=UTC)


class StandingClock(Clock):
    """Stands at `at`, which a test may set; `later` moves it on. It can't jump, so nobody has to agree to it."""

    def __init__(self, at: datetime = BEGIN) -> None:
        super().__init__()
        self.at = at

    def world(self) -> datetime:
        return self.at

    def later(self, **by: float) -> None:
        """Move on by days, hours, minutes, seconds ..., as `timedelta` names them."""
        self.at += timedelta(**by)
