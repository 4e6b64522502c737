"""`migrate`: bring the database to this version's schema."""

from bakong_service import app
from bakong_service.cli import opening, output


def migrate() -> None:
    """Bring the database to this version's schema, in one transaction.

    First, an older SQLite file is copied. Make a backup of a PostgreSQL database yourself.
    """
    settings = opening.settings()
    before, after = opening.attempt(lambda: app.migrate(settings))
    if before == after:
        output.say(f"the database is at {after} already")
    else:
        output.say(f"the database went from {before or 'empty'} to {after}")
