"""Which databases a start takes, brings forward, or refuses."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from bakong_service.storage import opening
from bakong_service.storage.executor import DatabaseUnavailable, connect
from bakong_service.storage.migrations import current, head
from bakong_service.storage.opening import SchemaMismatch, open_database

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
        assert await executor.read(current) == head()
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
