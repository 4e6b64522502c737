"""The schema's history, run by Alembic over a connection of the executor's.

`upgrade` is an operation: `await executor.run(upgrade)`.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from bakong_service.storage import triggers

_LOCK = 0x6B687172  # "khqr": one migration at a time, whoever starts it


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The revision that this version of the service works with."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def is_known(revision: str) -> bool:
    """Whether `revision` is one of this version's."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None where it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the database forward to `revision`, all in the caller's transaction.

    The triggers are made anew behind it: a revision that rebuilds a SQLite table drops them in silence.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    triggers.drop(connection)
    command.upgrade(_config(connection), revision)
    triggers.create(connection)
