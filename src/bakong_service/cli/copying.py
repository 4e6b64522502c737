"""`copy`: the whole database into another one, such as from SQLite to PostgreSQL."""

import time
from functools import partial
from typing import Annotated, Any

from attrs import evolve
from cyclopts import Parameter

from bakong_service import app
from bakong_service.cli import opening, output, progress
from bakong_service.cli.contents import ledger
from bakong_service.cli.options import AsJson
from bakong_service.resources import Violation
from bakong_service.settings import Secret, Settings
from bakong_service.storage.backups import copying
from bakong_service.storage.backups.contents import contents
from bakong_service.storage.engine import sqlite_file
from bakong_service.web.operating import oversight

_LEDGER = ("account", "currency", "amount")


def copy(
    *, to: str, from_: Annotated[str | None, Parameter(name="--from", negative="")] = None, json: AsJson = False
) -> int:
    """Copy the database to an empty one, such as from SQLite to PostgreSQL. The service must be stopped.

    Nobody can write to the source meanwhile. A copy that was interrupted goes on when you start it again; until it is
    whole, no service opens the target. At the end every row of both databases is compared, and so are the sums of the
    ledger, and `verify` checks both.

    Exit code 0: both databases are equal, and all promises hold in both. 1: there is no whole copy, or a promise is
    broken.

    Parameters
    ----------
    to
        The empty database, as DATABASE_URL names it: `postgresql://user@host/name` or `sqlite:///file`. Leave the
        password of PostgreSQL out, and give it as PGPASSWORD: other users of this machine see the arguments of
        commands.
    from_
        The database that is copied. Without it, DATABASE_URL.
    """
    settings, begun = opening.settings(), time.monotonic()
    source = settings.database_url if from_ is None else opening.database_url(from_, "--from")
    target = opening.database_url(to, "--to")
    if _is_one(source, target):
        opening.fail("--to names the database that is copied: name another one", code=2)
    with opening.alone(source, "serve", "work"), opening.alone(target, "serve", "work"):
        copied = opening.attempt(
            lambda: copying.copy(source.reveal(), target.reveal(), progress.telling(progress.rows))
        )
        broken = {
            name: opening.attempt(partial(_violations, evolve(settings, database_url=url)))
            for name, url in (("source", source), ("target", target))
        }
    told: dict[str, Any] = {
        "object": "copy",
        "seconds": round(time.monotonic() - begun, 3),
        "rows": sum(copied.rows.values()),
        "payments": copied.rows["payments"],
        "promises_hold": not any(broken.values()),
        "ledger": ledger(copied.ledger),
    }
    if json:
        output.one(told | {"rows_by_table": copied.rows, "violations": broken}, as_json=True)
    else:
        output.one(told, as_json=False, tables={"ledger": _LEDGER})
        for name, violations in broken.items():
            if violations:
                output.say(f"promises that are broken in the {name}:")
                output.many(violations, ("invariant", "subject", "found", "promise"), as_json=False)
        output.say("Set DATABASE_URL of every process to the copy, and start the service. Keep the source as it is.")
    return 1 if any(broken.values()) else 0


def _is_one(source: Secret, target: Secret) -> bool:
    one, other = (sqlite_file.path_of(url.reveal()) for url in (source, target))
    return source == target or (one is not None and other is not None and one.resolve() == other.resolve())


async def _violations(settings: Settings) -> list[Violation]:
    async with app.opened(settings) as service:
        held = await service.executor.read(contents, patient=True)
        # No service is at work since the newest row, so what falls due after that is nobody's fault.
        return [Violation.of(each) for each in await oversight.violations(service, at=held.newest_at)]
