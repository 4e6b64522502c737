"""`backup`: the database in one file, as of one moment."""

import time
from pathlib import Path

from bakong_service.cli import opening, output, progress
from bakong_service.cli.contents import shown
from bakong_service.cli.options import AsJson
from bakong_service.storage.backups.backing_up import back_up


def backup(to: Path, *, json: AsJson = False) -> None:
    """Write a backup of the database to a new file, beside a running service.

    The file holds everything that was committed when the command began, and nothing of a later moment. Only its owner
    can read it. It is there when it is whole: a file that exists is never overwritten. For PostgreSQL the command runs
    pg_dump, which must be on the PATH and not older than the server.

    The keys aren't in it: without ENCRYPTION_KEY (or ENCRYPTION_KEYS) and KEY_PEPPER, a backup is worthless.

    Parameters
    ----------
    to
        The new file.
    """
    settings, begun = opening.settings(), time.monotonic()
    made = opening.attempt(
        lambda: back_up(settings.database_url.reveal(), to, progress.telling(progress.megabytes)),
    )
    told = {
        "object": "backup",
        "file": str(made.file),
        "size_bytes": made.size_bytes,
        "seconds": round(time.monotonic() - begun, 3),
        **shown(made.contents),
    }
    output.one(told, as_json=json)
