"""When keys were last used. A request only notes it in memory; the database learns it a moment later."""

from datetime import datetime

from bakong_service.storage import api_keys
from bakong_service.storage.api_keys import ApiKey
from bakong_service.storage.engine.executor import Executor


class KeyUses:
    """The uses that aren't written yet. Each key's is written at most once a minute."""

    def __init__(self) -> None:
        self._noted: dict[str, datetime] = {}

    def note(self, key: ApiKey, now: datetime) -> None:
        """Note that a key was used, unless the database has a use of the last minute."""
        if api_keys.use_is_due(key, now):
            self._noted[key.key_id] = now

    async def write(self, executor: Executor) -> None:
        """Write what was noted."""
        noted, self._noted = self._noted, {}
        if noted:
            await executor.run(lambda connection: api_keys.used(connection, noted))
