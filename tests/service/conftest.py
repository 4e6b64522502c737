"""The fixtures of the tests of the service, made of what stands in `tests/kit`."""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment
from bakong_service.operations.business import Business
from bakong_service.operations.subscriptions import plans
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.engine.postgresql import PostgresqlExecutor
from bakong_service.storage.engine.postgresql_link import Timeouts
from kit.backup import Backup
from kit.business import a_business
from kit.compiled import share_compiled_statements
from kit.link import SHORT, Link, linked
from kit.scene import Scene, a_scene
from kit.there import there
from kit.till import Till

share_compiled_statements()


@pytest.fixture
def business() -> Business:
    """A coffee shop."""
    return a_business()


@pytest.fixture
async def till(executor: Executor, business: Business) -> Till:
    """A till with the default plans."""
    till = Till(executor, business)
    await till.do(plans.ensure_defaults, None)
    return till


@pytest.fixture
async def usd(till: Till) -> Payment:
    """An open one-off payment of 2.50 dollars."""
    return await till.create(amount=Money(250, "USD"))


@pytest.fixture
async def scene(till: Till) -> AsyncIterator[Scene]:
    """A scene with the default plans."""
    async with a_scene(till) as scene:
        yield scene


@pytest.fixture
def short() -> Timeouts:
    """Little patience."""
    return SHORT


_UNREAD = "unexpected connection_lost() call"
"""What asyncpg tells nobody: a link broke while it asked for TLS, and whoever was to read the answer had given up."""


@pytest.fixture
async def link(postgresql_url: str) -> AsyncIterator[Link]:
    """The link to this test's own database."""
    loop = asyncio.get_running_loop()
    tell = there(loop.get_exception_handler())  # of the runner of these tests

    def tell_others(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if str(context.get("exception")) != _UNREAD:
            tell(loop, context)

    loop.set_exception_handler(tell_others)
    try:
        async with linked(postgresql_url) as link:
            yield link
    finally:
        gc.collect(1)
        loop.set_exception_handler(tell)


@pytest.fixture
async def far(link: Link) -> AsyncIterator[PostgresqlExecutor]:
    """An executor behind the link, with little patience. It isn't started: nothing is connected yet."""
    executor = PostgresqlExecutor(link.url, SHORT)
    yield executor
    await executor.close()


@pytest.fixture
def backup(executor: Executor) -> Backup:
    """A backup of this test's database: `await backup.take()`, and later `await backup.restore()`."""
    return Backup(executor)


@pytest.fixture
def empty_url(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of the same kind as `database_url`."""
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'restored.db'}"
    url = request.getfixturevalue("empty_postgresql_url")
    assert isinstance(url, str)
    return url
