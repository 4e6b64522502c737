"""Settings and database for a command. What a person can put right ends the command with a message, not a stack."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Never, TypeVar

from bakong_service import app
from bakong_service.cli import logs
from bakong_service.domain.errors import Refused
from bakong_service.operations.plans_file import PlansFileError
from bakong_service.settings import Settings, SettingsError
from bakong_service.storage.executor import DatabaseUnavailable
from bakong_service.storage.opening import SchemaMismatch
from bakong_service.vault import Unopenable
from bakong_service.web.service import Service

T = TypeVar("T")

_PUT_RIGHT = (Refused, PlansFileError, DatabaseUnavailable, SchemaMismatch, Unopenable)


def settings() -> Settings:
    """The settings of this process; exit code 2 with every wrong one."""
    try:
        found = Settings.from_environment(os.environ)
    except SettingsError as error:
        fail(f"the settings don't allow a start:\n{error}", code=2)
    logs.configure(found.log_level, found.log_format)
    return found


def run(command: Callable[[Service], Awaitable[T]]) -> T:
    """Run a command on the service of the settings, without workers. Exit code 1 with what was refused."""

    async def opened() -> T:
        async with app.opened(settings()) as service:
            return await command(service)

    return attempt(opened)


def attempt(main: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine to its end. Exit code 1 for what a person can put right."""

    async def awaited() -> T:
        return await main()

    try:
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            return runner.run(awaited())
    except _PUT_RIGHT as error:
        fail(str(error))


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, which Windows doesn't have."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def fail(message: str, *, code: int = 1) -> Never:
    """End the command with a message on standard error."""
    sys.stderr.write(f"bakong-service: {message}\n")
    raise SystemExit(code)
