"""`recover`: what an operator runs after the database was restored from a backup."""

import json as texts
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx
from cyclopts import Parameter

from bakong_service import app
from bakong_service.cli import opening, output
from bakong_service.cli.options import AsJson, Operator, When
from bakong_service.domain.lost_payment import Finding, Found, LostPayment
from bakong_service.domain.moment import moment
from bakong_service.operations.recovery import recovering
from bakong_service.operations.recovery.lost_payments_file import LostPaymentsFileError, read_lost_payments
from bakong_service.settings.database_url import name_without_secrets
from bakong_service.storage.backups.contents import contents
from bakong_service.storage.webhooks import restores
from bakong_service.web.http.service import Service
from bakong_service.workers.recovery import Recovery

_SOMETHING_FOUND, _RUN_AGAIN = 3, 4
_FOR_A_PERSON = frozenset({Finding.MONEY, Finding.UNCLEAR})
_COLUMNS = ("md5", "finding", "amount", "currency", "sent_at", "event", "reason", "reference")
_TOLD_EVERY = 50  # payments
_ROUNDED = timedelta(minutes=2)  # `restore` gives a moment that is a minute before the newest entry


def recover(
    *,
    since: When,
    from_: Annotated[list[Path] | None, Parameter(name="--from", negative="")] = None,
    report: Path | None = None,
    operator: Operator = None,
    json: AsJson = False,
) -> int:
    """Recover after the database was restored from a backup. Run this before the service starts again.

    It works on the database of DATABASE_URL, which must be the restored one. It names that database before it begins.

    The command begins a new epoch of the feed, so that no reader goes on from a lost place. It has the watcher look
    again at each payment without money that was watched since the backup. And it asks Bakong for the payments of your
    files, because the backup may not have them. It makes no payment: if it finds money without a payment, it prints
    the money and writes it to the audit log.

    You may run it again with the same --since: it begins no second epoch.

    Exit code 0: no money without a payment was found. 3: you have to decide about what was found. 4: Bakong didn't
    answer for each payment; run the command again later.

    Parameters
    ----------
    since
        The time of the backup (ISO 8601; without an offset, in this machine's time). An earlier time does no harm.
    from_
        A file with a payment in each line: an MD5, a KHQR payload, or a JSON object (a payment as the API shows it, or
        an event as your webhook receiver logged it). Give the option once for each file.
    report
        Write what was found for each payment of the files to this file, one JSON object in each line.
    """
    lost = _lost_payments(from_ or ())
    since, actor = since.astimezone(UTC), opening.actor_of(operator)

    async def recovered(service: Service) -> tuple[dict[str, Any], list[Found]]:
        database = name_without_secrets(service.settings.database_url.reveal())
        output.complain(f"bakong-service: DATABASE_URL names {database}, and recover works on it")
        await _warn_of_newer_entries(service, since)
        summary = await begin(service, since, actor)
        return summary, await _look_for(service, lost, actor)

    summary, found = opening.run(recovered)
    rows = [_row(each) for each in found]
    if report is not None:
        _write(report, rows)
    counts = Counter(each.finding for each in found)
    summary |= {finding.value: counts[finding] for finding in Finding}
    if json:
        output.one(summary | {"found": rows}, as_json=True)
    else:
        output.one(summary, as_json=False)
        if told := [row for row in rows if row["finding"] not in (Finding.IN_DATABASE, Finding.NOT_FOUND)]:
            output.many(told, _COLUMNS, as_json=False)
    if _FOR_A_PERSON & set(counts):
        return _SOMETHING_FOUND
    return _RUN_AGAIN if counts[Finding.UNANSWERED] else 0


async def _warn_of_newer_entries(service: Service, since: datetime) -> None:
    """Warn if the database has entries that no backup of the moment `since` can have, unless its recovery has begun."""
    known = await service.executor.read(lambda connection: restores.of_since(connection, since))
    newest = (await service.executor.read(contents, patient=True)).newest_at
    if known is None and newest is not None and newest > since + _ROUNDED:
        output.complain(
            f"bakong-service: this database has entries until {moment(newest)}, which is later than --since. If it "
            "isn't the restored database, set DATABASE_URL to the restored one, and run recover again"
        )


def _lost_payments(files: Iterable[Path]) -> list[LostPayment]:
    """Return the payments of all files, each once."""
    lost: dict[str, LostPayment] = {}
    for path in files:
        try:
            for md5, payment in read_lost_payments(path).items():
                lost[md5] = lost[md5].joined(payment) if md5 in lost else payment
        except LostPaymentsFileError as error:
            opening.fail(str(error), code=2)
    return list(lost.values())


def _write(report: Path, rows: list[dict[str, Any]]) -> None:
    try:
        report.write_text("".join(texts.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    except OSError as error:
        output.complain(f"bakong-service: the report can't be written: {error}")


async def begin(service: Service, since: datetime, actor: str) -> dict[str, Any]:
    """Begin a new epoch of the feed, and have the watcher look again at what may have been paid since."""
    restore, is_new = await service.run(actor, partial(recovering.begin_epoch, since=since))
    looks, after = 0, 0
    while True:
        looked = await service.run(actor, partial(recovering.look_again, since=since, after=after))
        looks += looked.count
        if looked.next_after is None:
            break
        after = looked.next_after
    return {
        "object": "recovery",
        "since": moment(since),
        "epoch": restore.epoch,
        "is_new_epoch": is_new,
        "feed_kept_up_to": restore.after_position,
        "looked_at_again": looks,
    }


async def _look_for(service: Service, lost: list[LostPayment], actor: str) -> list[Found]:
    if not lost:
        return []
    async with httpx.AsyncClient() as http:
        provider = app.watcher_of(service, http).provider
        recovery = Recovery(service.executor, service.business, service.clock, provider, actor=actor)
        return await recovery.look_for(lost, _progress())


def _progress() -> Callable[[int, int], None]:
    last = -_TOLD_EVERY

    def tell(done: int, of: int) -> None:
        nonlocal last
        if done - last >= _TOLD_EVERY or done == of != last:
            last = done
            output.complain(f"bakong-service: {done} of {of} payments have an answer")

    return tell


def _row(found: Found) -> dict[str, Any]:
    lost = found.lost
    if found.sighting is None:
        facts = {
            "reference": lost.reference,
            "md5": lost.md5,
            "amount": None,
            "currency": None,
            "expected_amount": lost.amount,
            "expected_currency": lost.currency,
            "sent_at": None,
            "user_id": lost.user_id,
            "plan": lost.plan,
            "event": lost.event,
        }
    else:
        facts = recovering.money(lost, found.sighting)
    return {"finding": found.finding.value, **facts, "reason": found.reason, "retry_at": moment(found.retry_at)}
