"""The revisions of the schema, run by Alembic on a connection of the executor.

`upgrade` is an operation: `await executor.run(upgrade)`.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, column, table, update

from bakong_service.storage import triggers

LOCK = 0x6B687172  # "khqr": only one migration runs at a time
HALF_A_COPY = "half-a-copy-"  # begins the revision of a database that is being copied to

_VERSION = table("alembic_version", column("version_num"))  # Alembic's own


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """Return the revision that this version of the service works with."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def is_known(revision: str) -> bool:
    """Return whether this version knows `revision`."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def current(connection: Connection) -> str | None:
    """Return the database's revision; None if the database is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Migrate the database to `revision`, in the caller's transaction.

    Then the triggers are made again, because a revision that rebuilds a SQLite table drops its triggers without a word.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    triggers.drop(connection)
    command.upgrade(_config(connection), revision)
    triggers.create(connection)


def name_revision(connection: Connection, revision: str) -> None:
    """Write that the database is at `revision`, of at most 32 characters, and change nothing else."""
    connection.execute(update(_VERSION).values(version_num=revision))
