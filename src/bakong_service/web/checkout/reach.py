"""Whether Bakong can be reached, as the watcher found out. All open pages together ask once in two seconds."""

from datetime import datetime, timedelta

from attrs import define

from bakong_service.domain.watching import Mode
from bakong_service.storage.bakong import access
from bakong_service.storage.engine.executor import Executor

_KNOWN_FOR = timedelta(seconds=2)


@define
class Reach:
    """What was read last, and when."""

    _is_away: bool = False
    _read_at: datetime | None = None

    async def is_away(self, executor: Executor, now: datetime) -> bool:
        """Return whether Bakong answers nothing at present."""
        if self._read_at is None or not timedelta(0) <= now - self._read_at < _KNOWN_FOR:
            self._read_at = now  # before the wait, so that others don't ask too
            found = await executor.read(lambda connection: access.read(connection, now=now))
            self._is_away = found.mode is Mode.BLOCKED
        return self._is_away
