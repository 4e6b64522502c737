"""Numbers the lines of the audit log, so that `verify` finds a line that was deleted by hand."""

from datetime import datetime, timedelta

from attrs import frozen

from bakong_service.storage import audit
from bakong_service.storage.engine.executor import Executor

_EVERY = timedelta(seconds=1)


@frozen(eq=False)
class AuditNumberer:
    """Gives each new line its number. Several may run: one waits for the other."""

    executor: Executor

    async def step(self, now: datetime) -> datetime:
        """Number every line that has no number yet; again in a second."""
        while await self.executor.read(audit.has_unnumbered):
            await self.executor.run(audit.number_lines)
        return now + _EVERY
