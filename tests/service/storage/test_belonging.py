"""A database belongs to one mode and to the keys that its fields are sealed with: other settings are refused."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select

from bakong_service.domain.money import Money
from bakong_service.domain.payment import NewPayment
from bakong_service.domain.policy import Shop
from bakong_service.operations.business import Business
from bakong_service.operations.payments import requests as payments
from bakong_service.operations.unit_of_work import transaction
from bakong_service.storage import schema
from bakong_service.storage.engine.belonging import prove
from bakong_service.storage.engine.executor import Executor, UnfitDatabase, connect
from bakong_service.vault import Vault

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
RING = {"0": b"the first key of 32 characters ...", "b": b"the second key of 32 characters ..."}


def vault(*key_ids: str, **others: bytes) -> Vault:
    """A vault with these keys of the ring, newest first."""
    return Vault({key_id: {**RING, **others}[key_id] for key_id in key_ids}, b"pepper")


async def rows(executor: Executor) -> dict[str, Any]:
    def read(connection: Connection) -> dict[str, Any]:
        return {
            "modes": list(connection.execute(select(schema.database_mode.c.mode)).scalars()),
            "keys": sorted(connection.execute(select(schema.sealing_keys.c.key_id)).scalars()),
        }

    return await executor.read(read)


@pytest.mark.parametrize(("first", "other"), [("test", "live"), ("live", "test")])
async def test_a_database_of_one_mode_is_refused_in_the_other(executor: Executor, first: str, other: str) -> None:
    await prove(executor, vault("0"), mode=first, now=NOW)
    with pytest.raises(UnfitDatabase, match=f"a database of {first} mode, and MODE is {other}"):
        await prove(executor, vault("0"), mode=other, now=NOW)
    await prove(executor, vault("0"), mode=first, now=NOW)
    assert await rows(executor) == {"modes": [first], "keys": ["0"]}


async def test_replicas_that_start_at_the_same_time_in_one_mode_all_start(database_url: str) -> None:
    replicas = [connect(database_url) for _ in range(3)]
    try:
        for replica in replicas:
            await replica.start()
        await asyncio.gather(*(prove(replica, vault("0"), mode="live", now=NOW) for replica in replicas))
        assert await rows(replicas[0]) == {"modes": ["live"], "keys": ["0"]}
    finally:
        for replica in replicas:
            await replica.close()


async def test_of_two_that_start_at_the_same_time_in_different_modes_one_is_refused(database_url: str) -> None:
    replicas = [connect(database_url) for _ in range(2)]
    try:
        for replica in replicas:
            await replica.start()
        both = zip(replicas, ("live", "test"), strict=True)
        results = await asyncio.gather(
            *(prove(replica, vault("0"), mode=mode, now=NOW) for replica, mode in both), return_exceptions=True
        )
        assert sorted(type(result).__name__ for result in results) == ["NoneType", "UnfitDatabase"]
    finally:
        for replica in replicas:
            await replica.close()


async def test_a_wrong_encryption_key_is_refused_by_name_even_if_nothing_was_sealed_yet(executor: Executor) -> None:
    await prove(executor, vault("0"), mode="live", now=NOW)
    with pytest.raises(UnfitDatabase, match="ENCRYPTION_KEY isn't the key") as raised:
        await prove(executor, vault("0", **{"0": b"another key of 32 characters ..."}), mode="live", now=NOW)
    assert "another key" not in str(raised.value)


async def test_a_new_key_before_the_old_one_is_taken_and_a_wrong_one_under_its_id_isnt(executor: Executor) -> None:
    await prove(executor, vault("0"), mode="live", now=NOW)
    await prove(executor, vault("b", "0"), mode="live", now=NOW)
    assert (await rows(executor))["keys"] == ["0", "b"]
    with pytest.raises(UnfitDatabase, match="ENCRYPTION_KEYS' key b isn't the key"):
        await prove(executor, vault("b", "0", b=b"another key of 32 characters ..."), mode="live", now=NOW)


async def test_a_key_that_has_sealed_nothing_may_go(executor: Executor) -> None:
    await prove(executor, vault("0"), mode="live", now=NOW)
    await prove(executor, vault("b"), mode="live", now=NOW)
    assert (await rows(executor))["keys"] == ["b"]


async def test_a_key_that_something_is_sealed_with_must_stay(executor: Executor) -> None:
    business = Business(shop=Shop(bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee"), vault=vault("0"))
    await prove(executor, business.vault, mode="live", now=NOW)
    asked = NewPayment(amount=Money(250, "USD"), user_id="u")
    await executor.run(transaction(business, "user", NOW, lambda work: payments.create(work, asked)))
    with pytest.raises(UnfitDatabase, match=r"ENCRYPTION_KEY is missing: payments\.qr_enc has values"):
        await prove(executor, vault("b"), mode="live", now=NOW)
    await prove(executor, vault("b", "0"), mode="live", now=NOW)


async def test_a_start_that_has_nothing_to_write_writes_nothing(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prove(executor, vault("0"), mode="live", now=NOW)

    async def writes(*_: Any, **__: Any) -> None:
        raise AssertionError("it writes")

    with monkeypatch.context() as patched:
        patched.setattr(executor, "run", writes)
        await prove(executor, vault("0"), mode="live", now=NOW)
