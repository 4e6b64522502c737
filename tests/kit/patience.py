"""An executor for tests, which waits for a database on a busy machine for as long as it takes."""

import asyncio
from contextlib import suppress

from sqlalchemy import make_url

from bakong_service.storage.engine.executor import Executor, connect
from bakong_service.storage.engine.postgresql import PostgresqlExecutor
from bakong_service.storage.engine.postgresql_link import Timeouts
from bakong_service.storage.engine.signals import signal

# The service gives PostgreSQL five seconds. A test that isn't about these limits must not fail because a disk is slow.
PATIENT = Timeouts(connect=60, place=60, statement=60, idle=60, answer=90, heartbeat=60)


def patient(database_url: str) -> Executor:
    """Return an executor with the limits of tests; it isn't started."""
    url = make_url(database_url)
    return PostgresqlExecutor(url, PATIENT) if url.get_backend_name() == "postgresql" else connect(database_url)


async def hears(executor: Executor, *channels: str) -> None:
    """Wait until the executor hears signals: PostgreSQL begins to listen some time after the start.

    Call it before the listeners of a test are there. No signal of this function is under way when it returns.
    """
    for channel in channels:
        heard: asyncio.Queue[str] = asyncio.Queue()
        stop = executor.listen(channel, heard.put_nowait)
        sent, last = 0, ""
        while not last:
            sent += 1
            await executor.run(lambda c, channel=channel, sent=sent: signal(c, channel, str(sent)))  # type: ignore[misc]
            with suppress(TimeoutError):
                last = await asyncio.wait_for(heard.get(), 0.05)
        while last != str(sent):
            last = await heard.get()
        stop()
