"""Seals fields again with the newest key of the ring, so that an older key can be removed.

It works beside a running service. Each transaction writes a few hundred fields, and a field that somebody else changed
since it was read is left alone: whoever changed it sealed it anew. Nothing is stored about the progress, because each
field says which key it is sealed with. So a run that was killed is simply started again.
"""

from collections.abc import AsyncIterator
from functools import partial

from attrs import frozen
from sqlalchemy import Connection, bindparam, update

from bakong_service.storage.checks.sealed import FIELDS, SealedField, SealedValue
from bakong_service.storage.engine.executor import Executor
from bakong_service.vault import Unopenable, Vault

_AT_ONCE = 250  # fields a transaction, which takes a few milliseconds


@frozen
class Progress:
    """How far the work on one column is: the number of fields that were read and resealed, and what didn't open."""

    column: str  # "payments.qr_enc"
    read: int = 0
    resealed: int = 0
    unopenable: tuple[str, ...] = ()


@frozen
class Standing:
    """How many fields of a column are sealed with one key. `key_id` None: with a key that isn't in the ring."""

    column: str
    key_id: str | None
    fields: int


async def reseal(executor: Executor, vault: Vault) -> AsyncIterator[Progress]:
    """Reseal every field that an older key sealed. Yield the progress after each transaction."""
    for sealed_field in FIELDS:
        progress, last = Progress(sealed_field.name), None
        while page := await executor.read(partial(sealed_field.page, after=last, limit=_AT_ONCE), many=True):
            last = page[-1].key
            anew, unopenable = _resealed(vault, page)
            written = await executor.run(partial(_write, sealed_field, anew)) if anew else 0
            progress = Progress(
                sealed_field.name,
                progress.read + len(page),
                progress.resealed + written,
                (*progress.unopenable, *unopenable),
            )
            yield progress


def standing(connection: Connection, vault: Vault) -> list[Standing]:
    """Return how many fields of each column are sealed with each key of the ring, and with other keys."""
    found = []
    for sealed_field in FIELDS:
        total, *by_key = sealed_field.count(connection, vault.key_ids)
        found += [Standing(sealed_field.name, *counted) for counted in zip(vault.key_ids, by_key, strict=True)]
        found.append(Standing(sealed_field.name, None, total - sum(by_key)))
    return [each for each in found if each.fields]


def _resealed(vault: Vault, page: list[SealedValue]) -> tuple[list[tuple[SealedValue, bytes]], list[str]]:
    """Return the values of a page that need the newest key, each as it is now and sealed anew, and what didn't open."""
    anew, unopenable = [], []
    for each in page:
        try:
            if vault.key_id(each.value) != vault.key_ids[0]:
                anew.append((each, vault.seal(vault.open(each.value, each.place), each.place)))
        except Unopenable as error:
            unopenable.append(str(error))
    return anew, unopenable


def _write(sealed_field: SealedField, anew: list[tuple[SealedValue, bytes]], connection: Connection) -> int:
    """Write the values that nobody has changed since they were read. Return how many these were."""
    column = sealed_field.column
    same = [key == bindparam(f"key_{key.name}") for key in sealed_field.key]
    statement = (
        update(column.table).where(*same, column == bindparam("before")).values({column.name: bindparam("after")})
    )
    written = 0
    for before, after in anew:
        row = {f"key_{key.name}": value for key, value in zip(sealed_field.key, before.key, strict=True)}
        written += connection.execute(statement, {**row, "before": before.value, "after": after}).rowcount
    return written
