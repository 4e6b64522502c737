"""The schema's history: forward on both databases, to exactly what the code works with, triggers included."""

from functools import partial

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from bakong_service.storage import migrations, triggers
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.schema import metadata

pytestmark = pytest.mark.anyio
REVISIONS = [
    script.revision for script in reversed(list(ScriptDirectory.from_config(migrations._config()).walk_revisions()))
]


async def test_the_newest_revision_is_the_schema_that_the_code_works_with(executor: Executor) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert await executor.run(differences) == []
    assert await executor.read(migrations.current) == migrations.HEAD == REVISIONS[-1]


@pytest.mark.parametrize("revision", REVISIONS)
async def test_every_revision_leaves_the_triggers_that_the_code_has(executor: Executor, revision: str) -> None:
    expected = await executor.read(triggers.standing)
    assert len(expected) > 10

    def again(connection: Connection) -> dict[str, str]:
        triggers.drop(connection)
        assert triggers.standing(connection) == {}
        migrations.upgrade(connection, revision)
        return triggers.standing(connection)

    assert await executor.run(again) == expected


async def test_a_migration_that_was_done_is_not_done_again(executor: Executor) -> None:
    await executor.run(migrations.upgrade)
    assert await executor.read(migrations.current) == migrations.HEAD


async def test_the_database_itself_refuses_to_change_what_was_audited(executor: Executor) -> None:
    await executor.run(
        lambda c: c.execute(
            text("INSERT INTO audit_log (id, level, action, actor, at) VALUES (1, 'INFO', 'a', 'b', 4000000000000000)")
        )
    )
    for statement in ("UPDATE audit_log SET actor = 'c'", "DELETE FROM audit_log"):
        with pytest.raises(DatabaseError, match=r"append-only|kept for at least a year"):
            await executor.run(partial(Connection.execute, statement=text(statement)))
