"""`vault`: the keys that fields are sealed with."""

import asyncio
from collections import Counter
from pathlib import Path

from cyclopts import App

from bakong_service.cli import opening, output
from bakong_service.cli.options import AsJson, Operator
from bakong_service.storage import audit, resealing
from bakong_service.storage.checks.sealed import unopenable
from bakong_service.storage.engine import sqlite_file
from bakong_service.storage.resealing import Progress, Standing
from bakong_service.web.http.service import Service

app = App(name="vault", help="Show which key each field is sealed with, and replace a key.")

_OLD_FIELDS_LEFT = 1
_NOT_LOOKED_AT = 2  # as for settings that don't allow a start
_TOLD_EVERY = 5000  # fields
_REBUILT_BESIDE_A_SERVICE = 100_000_000  # bytes: a second or two, and a service waits five for the file
_POSTGRESQL = (
    "PostgreSQL keeps the old values in dead rows until it uses the space again: VACUUM FULL removes them at once, and "
    "locks a table while it does. Old values stay in backups and archived WAL too"
)


@app.command
def status(*, json: AsJson = False) -> None:
    """Show how many fields of each column are sealed with each key of the ring, newest key first."""
    found = opening.run(_standing)
    output.many([_row(each) for each in found], ("column", "key_id", "fields"), as_json=json)


@app.command
def reseal(*, rebuild: bool | None = None, operator: Operator = None, json: AsJson = False) -> int:
    """Seal every field again that an older key of ENCRYPTION_KEYS sealed, with the newest one.

    It may run beside the service, once every process of the service has the newest key first in its ring. Started
    again after it was stopped, it goes on with what is left. When `vault check` finds nothing, the older keys can be
    removed from the ring.

    Exit code 0: every field is sealed with the newest key; 1: some aren't, and the answer names those that don't open.

    Parameters
    ----------
    rebuild
        Whether to rebuild a SQLite file at the end, so that its free space holds no old value either. The service
        can't write meanwhile: without this option, only a file of up to 100 MB is rebuilt.
    """

    async def resealed(service: Service) -> tuple[dict[str, Progress], Counter[str]]:
        done: dict[str, Progress] = {}
        newest = service.business.vault.key_ids[0]
        async for progress in resealing.reseal(service.executor, service.business.vault):
            _tell(done.get(progress.column), progress)
            done[progress.column] = progress
        details = {"key_id": newest, "fields": sum(each.resealed for each in done.values())}
        await service.run(
            opening.actor_of(operator), lambda work: work.audit("vault.resealed", level=audit.SECURITY, details=details)
        )
        await _leave_no_trace(service, rebuild=rebuild)
        left: Counter[str] = Counter()
        for each in await _standing(service):
            left[each.column] += each.fields if each.key_id != newest else 0
        return done, left

    done, left = opening.run(resealed)
    rows = [
        {"column": each.column, "resealed": each.resealed, "left": left[each.column], "unopenable": each.unopenable}
        for each in done.values()
    ]
    output.many(rows, ("column", "resealed", "left"), as_json=json)
    for each in done.values():
        output.complain(*each.unopenable)
    return _OLD_FIELDS_LEFT if left.total() else 0


@app.command
def check(*, json: AsJson = False) -> int:
    """Open every sealed field, and see whether the newest key sealed it.

    Exit code 0: every field opens and is sealed with the newest key, so the older keys can be removed; 1: the rows
    say what isn't so; 2: it couldn't be looked at.
    """

    async def checked(service: Service) -> list[dict[str, str]]:
        vault = service.business.vault
        ill = await service.executor.read(lambda connection: list(unopenable(connection, vault)), patient=True)
        older = [each for each in await _standing(service) if each.key_id != vault.key_ids[0]]
        return [{"subject": each.subject, "found": each.found} for each in ill] + [
            {"subject": each.column, "found": f"{each.fields} sealed with {_key(each)}"} for each in older
        ]

    found = opening.run(checked, code=_NOT_LOOKED_AT)
    if json or found:
        output.many(found, ("subject", "found"), as_json=json)
    else:
        output.say("every field opens, and is sealed with the newest key")
    return _OLD_FIELDS_LEFT if found else 0


async def _standing(service: Service) -> list[Standing]:
    vault = service.business.vault
    return await service.executor.read(lambda connection: resealing.standing(connection, vault), patient=True)


async def _leave_no_trace(service: Service, *, rebuild: bool | None) -> None:
    """Remove what the old key sealed from the free space of the database, or say how."""
    path = sqlite_file.path_of(service.settings.database_url.reveal())
    if path is None:
        output.complain(f"bakong-service: {_POSTGRESQL}")
        return
    if not await asyncio.to_thread(_rebuilt, path, wanted=rebuild):
        output.complain(
            f"bakong-service: {path} may have old values in its free space: stop the service, and run this again with "
            "--rebuild"
        )


def _rebuilt(path: Path, *, wanted: bool | None) -> bool:
    if wanted is None:
        wanted = path.stat().st_size <= _REBUILT_BESIDE_A_SERVICE
    return wanted and sqlite_file.rebuild(path.resolve())


def _tell(before: Progress | None, now: Progress) -> None:
    if before is None or before.read // _TOLD_EVERY < now.read // _TOLD_EVERY:
        output.complain(f"bakong-service: {now.column}: {now.read} read, {now.resealed} resealed")


def _row(standing: Standing) -> dict[str, object]:
    return {"column": standing.column, "key_id": standing.key_id, "fields": standing.fields}


def _key(standing: Standing) -> str:
    return "a key that isn't in the ring" if standing.key_id is None else f"the older key {standing.key_id}"
