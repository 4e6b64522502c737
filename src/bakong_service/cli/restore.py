"""`restore`: a backup into an empty database, and what has to be done next."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from bakong_service import app
from bakong_service.cli import opening, output, progress
from bakong_service.cli.contents import shown
from bakong_service.cli.options import AsJson, Operator
from bakong_service.cli.recover import begin
from bakong_service.domain.moment import moment
from bakong_service.resources import Violation
from bakong_service.settings import Settings
from bakong_service.storage.backups import restoring
from bakong_service.storage.backups.contents import Contents, contents
from bakong_service.storage.engine import opening as database
from bakong_service.storage.engine.executor import UnfitDatabase
from bakong_service.storage.engine.opening import SchemaMismatch
from bakong_service.web.operating import oversight

_UNDER_WAY = timedelta(minutes=1)  # a transaction that the backup lacks may be older than the newest row that it has


@frozen(kw_only=True)
class _Restored:
    contents: Contents
    violations: list[Violation]
    recovery: dict[str, Any] | None


def restore(
    backup: Path, *, to: str | None = None, recover: bool = True, operator: Operator = None, json: AsJson = False
) -> int:
    """Restore a backup into an empty database, check it, and begin its recovery.

    The database is restored whole or not at all. Then `verify` checks it, and the first step of `recover` is done: the
    feed begins a new epoch, and the watcher will look again at each payment without money that was watched when the
    backup was taken. At the end the command says what is left to do.

    Exit code 0: the database is restored and all promises hold. 1: it isn't restored, or a promise is broken.

    Parameters
    ----------
    backup
        The file of `bakong-service backup`, another SQLite file, or another archive of pg_dump (--format=custom).
    to
        The empty database, as DATABASE_URL names it. Without it, DATABASE_URL. Leave the password of PostgreSQL out,
        and give it as PGPASSWORD: other users of this machine see the arguments of commands.
    recover
        With --no-recover, no new epoch begins. Use it if nothing happened after the backup, because you move a service
        that was stopped.
    """
    settings, begun = opening.settings(), time.monotonic()
    if to is not None:
        settings = evolve(settings, database_url=opening.database_url(to, "--to"))
    with opening.alone(settings.database_url, "serve", "work"):
        url, tell = settings.database_url.reveal(), progress.telling(progress.megabytes)
        opening.attempt(lambda: restoring.restore(backup, url, tell))
        found = opening.attempt(lambda: _checked(settings, opening.actor_of(operator), recover=recover))
    told = {
        "object": "restore",
        "seconds": round(time.monotonic() - begun, 3),
        **shown(found.contents),
        "promises_hold": not found.violations,
        "recovery": found.recovery,
    }
    steps = _next_steps(found, elsewhere=to is not None)
    if json:
        output.one(told | {"violations": found.violations, "next": steps}, as_json=True)
    else:
        output.one(told, as_json=False)
        if found.violations:
            output.many(found.violations, ("invariant", "subject", "found", "promise"), as_json=False)
        for number, step in enumerate(steps, 1):
            output.say(f"{number}. {step}")
    return 1 if found.violations else 0


async def _checked(settings: Settings, actor: str, *, recover: bool) -> _Restored:
    try:
        async with app.opened(settings) as service:
            held = await service.executor.read(contents, patient=True)
            # What was in time when the backup was taken is overdue by now, and that breaks no promise.
            violations = await oversight.violations(service, at=held.newest_at)
            recovery = None
            if recover and held.newest_at is not None:
                recovery = await begin(service, _since(held.newest_at, service.clock.now()), actor)
            return _Restored(contents=held, violations=[Violation.of(each) for each in violations], recovery=recovery)
    except (SchemaMismatch, UnfitDatabase) as error:
        since = await _since_of(settings)
        opening.fail(
            f"the backup is restored, but it isn't checked: {error}\nWhen that is done, set DATABASE_URL to the "
            f"restored database, and run bakong-service verify, and bakong-service recover --since {since or 'TIME'}"
            f"{'' if since else ' with the time of the backup'}"
        )


async def _since_of(settings: Settings) -> str | None:
    """Return the moment for `recover --since`, read without the keys; None if the tables are of another version."""
    try:
        executor = await database.open_database(settings.database_url.reveal(), bring_forward=False)
    except (SchemaMismatch, UnfitDatabase):
        return None
    try:
        newest_at = (await executor.read(contents, patient=True)).newest_at
    finally:
        await executor.close()
    return None if newest_at is None else moment(_since(newest_at, datetime.now(UTC)))


def _since(newest_at: datetime, now: datetime) -> datetime:
    """Return a moment before everything that the backup lacks, in whole milliseconds.

    The operator gives the same moment to `recover`, as it is written. Another moment would begin a second epoch.
    """
    since = min(newest_at - _UNDER_WAY, now)
    return since.replace(microsecond=since.microsecond // 1000 * 1000)


def _next_steps(found: _Restored, *, elsewhere: bool) -> list[str]:
    steps = []
    if found.violations:
        steps.append("Find out why a promise is broken before you start the service: an older backup may be sound.")
    if elsewhere:
        steps.append("Set DATABASE_URL of every process to the restored database. The keys stay as they are.")
    if found.recovery is not None:
        steps.append(
            "Collect what your side knows of the payments after the backup, such as the log of your webhook receiver, "
            f"and run: bakong-service recover --since {found.recovery['since']} --from FILE"
        )
    steps.append("Start the service: bakong-service serve")
    if found.recovery is not None:
        steps.append("Compare bakong-service reconcile DAY with the bank's statement, for each day since the backup.")
    return steps
