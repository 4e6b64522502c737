"""A database belongs to one mode and to the keys that its fields are sealed with. Every start checks both.

The first process that opens an empty database writes its mode. For each key that seals a field, the database has a
known text that is sealed with the key. A ring that opens all of these texts opens every field.
"""

from datetime import datetime
from functools import partial

from sqlalchemy import Connection, delete, select

from bakong_service.storage.checks.sealed import FIELDS
from bakong_service.storage.engine.executor import Executor, UnfitDatabase
from bakong_service.storage.engine.inserting import insert_new
from bakong_service.storage.schema import database_mode, sealing_keys
from bakong_service.vault import Unopenable, Vault

_PROOF = "bakong-service"

_OF_THE_RING = " In ENCRYPTION_KEYS, this key stands under the id 0 (0:<key>), and under no other id."

_OF_THE_OTHER_MODE = {
    "live": "DATABASE_URL names a database of test mode, and MODE is live: test payments aren't money. "
    "Name a new database, or the one that live mode has used before",
    "test": "DATABASE_URL names a database of live mode, and MODE is test: test mode would mark real payments as paid. "
    "Name a new database for tests, and don't copy the live one for it",
}


async def prove(executor: Executor, vault: Vault, *, mode: str, now: datetime) -> None:
    """Raise `UnfitDatabase` if the database belongs to the other mode, or has fields that no key of the ring opens.

    A database without a mode gets this mode.
    """
    if not await executor.read(partial(_proven, vault=vault, mode=mode)):
        await executor.run(partial(_record, vault=vault, mode=mode, now=now))
    for key_id in await executor.read(partial(missing_keys, vault=vault)):
        place = await executor.read(partial(_sealed_with, key_id=key_id), patient=True)
        if place is not None:
            under = _OF_THE_RING if key_id == "0" else ""
            raise UnfitDatabase(
                f"{_setting(key_id)} is missing: {place} has values that are sealed with that key.{under} "
                "A key may be removed when nothing is sealed with it any more"
            )
        await executor.run(partial(_forget, key_id=key_id))


def _proven(connection: Connection, *, vault: Vault, mode: str) -> bool:
    """Return whether the database has this mode and the newest key. Raises `UnfitDatabase` for another mode or key."""
    known = connection.execute(select(database_mode.c.mode)).scalar_one_or_none()
    if known not in (None, mode):
        raise UnfitDatabase(_OF_THE_OTHER_MODE[mode])
    proofs = _proofs(connection)
    for key_id in vault.key_ids:
        if key_id in proofs:
            try:
                vault.open(proofs[key_id], _place(key_id))
            except Unopenable as error:
                raise UnfitDatabase(
                    f"{_setting(key_id)} isn't the key that this database's fields are sealed with. Give the key that "
                    "sealed them; to replace a key, put the new one before it in ENCRYPTION_KEYS, under another id"
                ) from error
    return known is not None and vault.key_ids[0] in proofs


def _proofs(connection: Connection) -> dict[str, bytes]:
    """Return the known text as each key sealed it, by key id."""
    return {row.key_id: row.proof_enc for row in connection.execute(select(sealing_keys))}


def _record(connection: Connection, *, vault: Vault, mode: str, now: datetime) -> None:
    """Write what is missing, then check again, because another process may have written at the same time."""
    insert_new(connection, database_mode, {"id": 1, "mode": mode, "since": now})
    newest = vault.key_ids[0]
    proof = {"key_id": newest, "proof_enc": vault.seal(_PROOF, _place(newest)), "since": now}
    insert_new(connection, sealing_keys, proof)
    _proven(connection, vault=vault, mode=mode)


def missing_keys(connection: Connection, *, vault: Vault) -> list[str]:
    """Return the ids of the keys that some process seals with, or has sealed with, and that this ring lacks."""
    return [key_id for key_id in _proofs(connection) if key_id not in vault.key_ids]


def _sealed_with(connection: Connection, *, key_id: str) -> str | None:
    """Return a column that has a value sealed with this key, such as `payments.qr_enc`; None if there is none."""
    for field in FIELDS:
        if connection.execute(field.sealed_with(key_id)).first() is not None:
            return field.name
    return None


def _forget(connection: Connection, *, key_id: str) -> None:
    connection.execute(delete(sealing_keys).where(sealing_keys.c.key_id == key_id))


def _place(key_id: str) -> str:
    return f"sealing_keys.proof_enc.{key_id}"


def _setting(key_id: str) -> str:
    """Return the name of the setting that a key comes from."""
    return "ENCRYPTION_KEY" if key_id == "0" else f"ENCRYPTION_KEYS' key {key_id}"
