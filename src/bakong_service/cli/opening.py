"""Opens settings and database for a command.

An error that a person can correct ends the command with a message, without a stack.
"""

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Never, TypeVar

from bakong_service import app
from bakong_service.cli import exclusive, logs, output
from bakong_service.domain.errors import Refused
from bakong_service.operations.subscriptions.plans_file import PlansFileError
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.settings import Secret, Settings, SettingsError
from bakong_service.settings import database_url as readers
from bakong_service.storage.backups.refused import CopyRefused
from bakong_service.storage.engine.executor import DatabaseUnavailable, Operation, UnfitDatabase
from bakong_service.storage.engine.opening import SchemaMismatch
from bakong_service.vault import Unopenable
from bakong_service.web.http.service import Service

T = TypeVar("T")

_CORRECTABLE = (CopyRefused, Refused, PlansFileError, DatabaseUnavailable, UnfitDatabase, SchemaMismatch, Unopenable)


def settings() -> Settings:
    """Return the settings of this process. If any are wrong, name all of them and exit with code 2."""
    try:
        found = Settings.from_environment(os.environ)
    except SettingsError as error:
        fail(f"the settings are wrong:\n{error}", code=2)
    logs.configure(found.log_level, found.log_format)
    return found


def run(command: Callable[[Service], Awaitable[T]], *, code: int = 1) -> T:
    """Run a command on the service without workers. If it is refused, print why and exit with `code`."""

    async def opened() -> T:
        async with app.opened(settings()) as service:
            return await command(service)

    return attempt(opened, code=code)


@contextmanager
def alone(database_url: Secret, *kinds: str) -> Iterator[None]:
    """Keep other processes of these kinds (`"serve"`, `"work"`) away from a SQLite file. If one is there, say so."""
    try:
        with exclusive.alone(database_url.reveal(), *kinds):
            yield
    except (exclusive.AlreadyRunning, UnfitDatabase) as error:
        fail(str(error))


def database_url(text: str, option: str) -> Secret:
    """Return the URL of an option that takes what DATABASE_URL takes. If it is wrong, say the rule, and exit with 2."""
    try:
        return readers.database_url(text)
    except ValueError as error:
        fail(f"{option}: {error}", code=2)


def read(query: Operation[T]) -> T:
    """Run a query on the database."""
    return run(lambda service: service.executor.read(query, many=True))


def act(operator: str | None, operation: Callable[[UnitOfWork], T]) -> T:
    """Run an operation in the name of an operator. Without a name, that is the login name."""
    return run(lambda service: service.run(actor_of(operator), operation))


def actor_of(operator: str | None) -> str:
    """Return an operator as the histories and the audit log name operators."""
    return f"operator:{operator or getpass.getuser()}"


def attempt(main: Callable[[], Awaitable[T]], *, code: int = 1) -> T:
    """Run a coroutine to its end. Exit with `code` for an error that a person can correct."""
    try:
        return uncaught(main)
    except _CORRECTABLE as error:
        fail(str(error), code=code)


def uncaught(main: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine to its end, on the fastest loop that there is. Its errors are the caller's."""

    async def awaited() -> T:
        return await main()

    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        return runner.run(awaited())


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the loop of uvloop; None on Windows, which has no uvloop."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def fail(message: str, *, code: int = 1) -> Never:
    """End the command with a message on standard error."""
    output.complain(*f"bakong-service: {message}".split("\n"))
    raise SystemExit(code)
