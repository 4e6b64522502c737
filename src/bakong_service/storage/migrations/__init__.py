"""The revisions of the schema, run by Alembic on a connection of the executor.

`upgrade` is an operation: `await executor.run(upgrade)`. Alembic is imported only where it has something to do: each
start and each command would wait for it, and nearly all find the newest revision.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table, update

from bakong_service.storage import triggers

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"  # the newest revision, with which this version of the service works
LOCK = 0x6B687172  # "khqr": only one migration runs at a time
HALF_A_COPY = "half-a-copy-"  # begins the revision of a database that is being copied to

_VERSION = table("alembic_version", column("version_num"))  # Alembic's own


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def is_known(revision: str) -> bool:
    """Return whether this version knows `revision`."""
    from alembic.script import ScriptDirectory

    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def current(connection: Connection) -> str | None:
    """Return the database's revision; None if the database is empty."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    revision: str | None = connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()
    return revision


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Migrate the database to `revision`, in the caller's transaction.

    Then the triggers are made again, because a revision that rebuilds a SQLite table drops its triggers without a word.
    """
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    triggers.drop(connection)
    command.upgrade(_config(connection), revision)
    triggers.create(connection)


def name_revision(connection: Connection, revision: str) -> None:
    """Write that the database is at `revision`, of at most 32 characters, and change nothing else."""
    connection.execute(update(_VERSION).values(version_num=revision))
