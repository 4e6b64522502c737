"""The one clock of a process. In test mode it runs ahead by an offset that is kept in the database."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time, aware and in UTC. `offset` moves it: only test mode ever sets one, and only forwards."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """The moment that everything in this process takes for the present."""
        return datetime.now(UTC) + self.offset
