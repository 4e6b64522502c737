"""Which databases a start takes, brings forward, or refuses."""

from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import Connection, make_url, text
from structlog.testing import capture_logs

from bakong_service import app
from bakong_service.settings import Settings
from bakong_service.storage.engine import opening
from bakong_service.storage.engine.executor import DatabaseUnavailable, UnfitDatabase, connect
from bakong_service.storage.engine.opening import SchemaMismatch, open_database
from bakong_service.storage.migrations import HEAD, current

pytestmark = pytest.mark.anyio


async def set_revision(url: str, revision: str) -> None:
    executor = connect(url)
    await executor.start()

    def change(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})

    await executor.run(change)
    await executor.close()


async def test_an_empty_database_is_brought_forward(tmp_path: Path) -> None:
    executor = await open_database(f"sqlite:///{tmp_path / 'new.db'}", bring_forward=True)
    try:
        assert await executor.read(current) == HEAD
    finally:
        await executor.close()


async def test_a_command_brings_nothing_forward(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match=r"the database is empty .* bakong-service migrate"):
        await open_database(f"sqlite:///{tmp_path / 'new.db'}", bring_forward=False)


@pytest.mark.parametrize("bring_forward", [True, False])
async def test_a_database_of_a_newer_version_is_refused(database_url: str, bring_forward: bool) -> None:
    await set_revision(database_url, "9999")
    with pytest.raises(SchemaMismatch, match="9999, which this version doesn't know"):
        await open_database(database_url, bring_forward=bring_forward)


async def test_a_database_at_head_is_taken_as_it_is(database_url: str) -> None:
    executor = await open_database(database_url, bring_forward=False)
    await executor.close()


@pytest.mark.postgres
async def test_an_older_postgresql_is_left_to_the_operator(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_revision(postgresql_url, "0000")
    monkeypatch.setattr(opening, "is_known", lambda revision: revision == "0000")
    with pytest.raises(SchemaMismatch, match=r"at revision 0000 .* run bakong-service migrate"):
        await open_database(postgresql_url, bring_forward=True)


@pytest.mark.postgres
async def test_a_postgresql_database_that_isnt_there_is_named(postgresql_url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match='database "nobody" does not exist'):
        await open_database(
            str(make_url(postgresql_url).set(database="nobody").render_as_string(False)), bring_forward=True
        )


def settings_of(environment: dict[str, str], url: str, **changes: str) -> Settings:
    return Settings.from_environment({**environment, "DATABASE_URL": url, **changes})


async def started(settings: Settings, *, prepared: bool = True) -> None:
    async with app.opened(settings, prepared=prepared):
        pass


@pytest.mark.parametrize("prepared", [True, False], ids=["serve", "a command"])
async def test_live_mode_refuses_a_database_that_ran_in_test_mode(
    database_url: str, environment: dict[str, str], live_environment: dict[str, str], prepared: bool
) -> None:
    await started(settings_of(environment, database_url))
    with pytest.raises(UnfitDatabase, match="names a database of test mode, and MODE is live"):
        await started(settings_of(live_environment, database_url), prepared=prepared)


@pytest.mark.parametrize("mode", ["live", "test"])
async def test_the_simulators_token_in_live_mode_is_an_alert(
    database_url: str, environment: dict[str, str], live_environment: dict[str, str], mode: str
) -> None:
    chosen = live_environment if mode == "live" else environment
    with capture_logs() as lines:
        await started(settings_of(chosen, database_url, BAKONG_DEVELOPER_TOKEN="simulator"))
    alerts = [line["event"] for line in lines if line["log_level"] == "error"]
    assert alerts == (["simulator_token_in_live_mode"] if mode == "live" else [])


async def test_migrate_says_whose_a_new_database_is(
    tmp_path: Path, environment: dict[str, str], live_environment: dict[str, str]
) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert await app.migrate(settings_of(live_environment, url)) == (None, HEAD)
    for attempt in (app.migrate, started):
        with pytest.raises(UnfitDatabase, match="names a database of live mode, and MODE is test"):
            await attempt(settings_of(environment, url))
    await started(settings_of(live_environment, url))
    assert await app.migrate(settings_of(live_environment, url)) == (HEAD, HEAD)


async def test_migrate_leaves_a_database_of_a_newer_version_alone(
    database_url: str, environment: dict[str, str]
) -> None:
    await set_revision(database_url, "9999")
    with pytest.raises(SchemaMismatch, match="9999, which this version doesn't know"):
        await app.migrate(settings_of(environment, database_url))


async def test_a_wrong_encryption_key_stops_the_start_without_a_webhook_too(
    database_url: str, environment: dict[str, str]
) -> None:
    await started(settings_of(environment, database_url))
    with pytest.raises(UnfitDatabase, match="ENCRYPTION_KEY isn't the key"):
        await started(settings_of(environment, database_url, ENCRYPTION_KEY="f" * 32))


@pytest.mark.postgres
async def test_a_role_that_may_not_make_tables_is_told_what_to_grant(
    postgresql_url: str, live_environment: dict[str, str]
) -> None:
    role, url = f"till_{uuid4().hex}", make_url(postgresql_url)
    name = f"{url.database}_empty"
    owner = await asyncpg.connect(postgresql_url)
    try:
        await owner.execute(f"CREATE DATABASE {name}")
        await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'till-of-the-tests'")
        theirs = await asyncpg.connect(url.set(database=name).render_as_string(hide_password=False))
        await theirs.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        await theirs.close()
        limited = url.set(database=name, username=role, password="till-of-the-tests")
        settings = settings_of(live_environment, limited.render_as_string(hide_password=False))
        for attempt in (app.migrate, started):
            with pytest.raises(UnfitDatabase, match=r"may not make the service's tables: .*GRANT CREATE ON SCHEMA"):
                await attempt(settings)
    finally:
        await owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await owner.execute(f"DROP ROLE IF EXISTS {role}")
        await owner.close()
