"""The one clock of a process. In test mode it runs ahead by an offset that is kept in the database."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bakong_service.domain.timekeeping import JUMP


def _wall_clock() -> datetime:
    return datetime.now(UTC)


def _seconds() -> float:
    """Count seconds that nobody can set, and those of a suspended machine too where the system counts them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Clock:
    """Tells the time, aware and in UTC. `offset` moves it: only test mode ever sets one, and only forwards.

    A machine's clock may jump. A jump of more than a minute isn't followed until `agree` says that other clocks
    confirm it (`workers.timekeeping`): until then the time goes on by the monotonic clock.
    """

    def __init__(self, own: Callable[[], datetime] = _wall_clock, seconds: Callable[[], float] = _seconds) -> None:
        self.offset = timedelta(0)
        self.own = own  # the machine's clock, whatever it says
        self.seconds = seconds
        self._agreed = (own(), seconds())

    def now(self) -> datetime:
        """Return the moment that everything in this process takes for the present."""
        return self.world() + self.offset

    def world(self) -> datetime:
        """Return the time by the clocks of others, which no test mode moves: a signature's, and an HTTP date's."""
        own, steady = self.own(), self.steady()
        if abs(own - steady) > JUMP:
            return steady
        self._agreed = (own, self.seconds())
        return own

    def steady(self) -> datetime:
        """Return the time that was last agreed on, and what the monotonic clock has counted since."""
        agreed, since = self._agreed
        return agreed + timedelta(seconds=self.seconds() - since)

    def agree(self, moment: datetime) -> None:
        """Go on from a moment that other clocks have confirmed."""
        self._agreed = (moment, self.seconds())
