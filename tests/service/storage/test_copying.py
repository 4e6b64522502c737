"""A copy is equal to its source to the last byte, goes on after it was killed, and mixes nothing with anything."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, make_url, update

from bakong_service.domain.money import Money
from bakong_service.storage import migrations
from bakong_service.storage.backups import copying
from bakong_service.storage.backups.copying import Copied
from bakong_service.storage.backups.quiet import quiet
from bakong_service.storage.backups.refused import CopyRefused, Progress
from bakong_service.storage.engine import belonging, opening
from bakong_service.storage.engine.executor import DatabaseUnavailable, Executor
from bakong_service.storage.engine.opening import SchemaMismatch
from bakong_service.storage.schema import ledger_balances, payments, withdrawn_plans
from kit.patience import patient
from kit.till import Till

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


class Killed(Exception):  # noqa: N818 - what happened
    """Ends a copy between two transactions, as a SIGKILL would."""


def quietly(_done: int, _of: int | None) -> None:
    """Hear how far a copy is, and do nothing."""


def killed_after(rows: int) -> Progress:
    def tell(done: int, _of: int | None) -> None:
        if done >= rows:
            raise Killed

    return tell


@pytest.fixture
async def shop(till: Till) -> Till:
    """A shop with payments in two currencies, a subscription, credit and a refund, in a database of its keys."""
    await belonging.prove(till.executor, till.business.vault, mode="test", now=till.now)
    for amount in (Money(250, "USD"), Money(10_000, "KHR"), Money(100, "USD")):
        await till.pay(await till.create(amount=amount, metadata={"order": f"ក{amount}"}))
    await till.subscribe()
    paid = await till.pay(await till.create(amount=Money(300, "USD")))
    await till.refund(paid)
    await till.create(amount=Money(700, "USD"))
    return till


@pytest.fixture
def target_url(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of the other kind."""
    if not database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'copy.db'}"
    url = request.getfixturevalue("empty_postgresql_url")
    assert isinstance(url, str)
    return url


@pytest.fixture
async def target(target_url: str) -> AsyncIterator[Executor]:
    executor = patient(target_url)
    await executor.start()
    yield executor
    await executor.close()


async def copied(shop: Till, target: Executor, progress: Progress = quietly) -> Copied:
    return await copying.copy_rows(shop.executor, target, progress)


async def test_a_copy_to_the_other_kind_of_database_is_equal_and_goes_on(shop: Till, target: Executor) -> None:
    done = await copied(shop, target)
    assert done.rows["payments"] == 6
    assert sum(each.minor for each in done.ledger if each.currency == "USD") == 0
    assert ("served", "KHR", 10_000) in {(each.account, each.currency, each.minor) for each in done.ledger}
    there = Till(target, shop.business, shop.clock)
    assert await there.violations() == await shop.violations() == []
    there.later(seconds=1)
    await there.pay(await there.create(amount=Money(100, "USD")))
    await there.subscribe(user="u2")
    assert await there.violations() == []


@pytest.mark.parametrize("killed_at", [20, 60])
async def test_a_copy_that_was_killed_goes_on(
    shop: Till, target: Executor, target_url: str, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    monkeypatch.setattr(copying, "ROWS_AT_ONCE", 3)
    with pytest.raises(Killed):
        await copied(shop, target, killed_after(killed_at))
    with pytest.raises(SchemaMismatch, match="is half a copy of another one: run the same bakong-service copy again"):
        await opening.open_database(target_url, bring_forward=True)
    done = await copied(shop, target)
    assert done.rows["payments"] == 6
    assert await Till(target, shop.business, shop.clock).violations() == []


async def test_a_source_that_changed_after_the_kill_is_noticed(
    shop: Till, target: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "ROWS_AT_ONCE", 3)
    with pytest.raises(Killed):
        await copied(shop, target, killed_after(60))
    await shop.run(lambda connection: connection.execute(update(payments).values(description="changed")))
    with pytest.raises(CopyRefused, match="the target's table payments has other rows"):
        await copied(shop, target)


async def test_a_ledger_that_differs_is_refused(shop: Till, target: Executor) -> None:
    await shop.run(lambda connection: connection.execute(delete(ledger_balances)))
    with pytest.raises(CopyRefused, match="the sums of the ledger differ"):
        await copied(shop, target)


async def test_a_target_that_holds_something_else_is_refused(
    shop: Till, target: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await target.run(lambda connection: connection.exec_driver_sql("CREATE TABLE another (n INTEGER)"))
    with pytest.raises(CopyRefused, match="the target isn't empty"):
        await copied(shop, target)
    await target.run(lambda connection: connection.exec_driver_sql("DROP TABLE another"))
    await copied(shop, target)
    with pytest.raises(CopyRefused, match="the target isn't empty"):
        await copied(shop, target)


async def test_tables_without_a_row_are_a_good_target(shop: Till, target: Executor) -> None:
    await target.run(migrations.upgrade)
    await copied(shop, target)


async def test_one_row_of_another_shop_is_enough_to_refuse(shop: Till, target: Executor) -> None:
    await target.run(migrations.upgrade)
    row = insert(withdrawn_plans).values(code="OLD", withdrawn_at=shop.now)
    await target.run(lambda connection: connection.execute(row))
    with pytest.raises(CopyRefused, match="the target isn't empty"):
        await copied(shop, target)


async def test_half_a_copy_of_another_database_is_refused(
    shop: Till, target: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Killed):
        await copied(shop, target, killed_after(1))
    another = migrations.HALF_A_COPY + "0" * 16
    await target.run(lambda connection: migrations.name_revision(connection, another))
    with pytest.raises(CopyRefused, match="half a copy of another database"):
        await copied(shop, target)


async def test_a_source_that_no_service_used_is_refused(till: Till, target: Executor) -> None:
    with pytest.raises(CopyRefused, match="was never used by a service"):
        await copied(till, target)


async def test_while_a_copy_is_made_nobody_writes(
    shop: Till, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakong_service.storage.engine.sqlite._BUSY_TIMEOUT_SECONDS", 0.01)
    await shop.executor.close()  # a service that is connected is refused
    async with quiet(database_url):
        if database_url.startswith("sqlite"):
            with closing(sqlite3.connect(make_url(database_url).database or "", timeout=0)) as writer:
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    writer.execute("DELETE FROM payments")
                assert writer.execute("SELECT count(*) FROM payments").fetchone() == (6,)
        else:
            other = patient(database_url)
            await other.start()
            assert (await Till(other).read(lambda connection: connection.execute(payments.select()).all())) != []
            with pytest.raises(DatabaseUnavailable):
                await other.run(refused_at_once)
            await other.close()


def refused_at_once(connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL lock_timeout = '10ms'")
    connection.execute(update(payments).values(description="changed"))


async def test_a_source_that_a_service_is_at_work_on_is_refused(
    shop: Till, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakong_service.storage.backups.quiet._WAIT_SECONDS", 0.01)
    if not database_url.startswith("sqlite"):
        with pytest.raises(CopyRefused, match=r"\d connections? of bakong-service are open"):
            async with quiet(database_url):
                pass
        return
    with closing(sqlite3.connect(make_url(database_url).database or "", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(CopyRefused, match="somebody is writing to"):
            async with quiet(database_url):
                pass
