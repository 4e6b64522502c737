"""The one clock of a process. In test mode it runs ahead by an offset that is kept in the database."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time, aware and in UTC. `offset` moves it: only test mode ever sets one, and only forwards."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """The moment that everything in this process takes for the present."""
        return self.world() + self.offset

    def world(self) -> datetime:
        """The time by the clocks of others, which no test mode moves: a signature's, and an HTTP date's."""
        return datetime.now(UTC)
