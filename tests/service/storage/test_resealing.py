"""The ring is rotated: every field is sealed again with the newest key, and the old key can go."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy import Connection, func, select, text, update

from bakong_service.domain.endpoint import NewEndpoint, TargetPolicy
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import NewPayment
from bakong_service.domain.policy import Shop, WebhookPolicy
from bakong_service.operations.business import Business
from bakong_service.operations.payments import requests as payments
from bakong_service.operations.payments import settling
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.operations.webhooks import endpoints
from bakong_service.storage import idempotency, resealing, schema
from bakong_service.storage.bakong import token
from bakong_service.storage.checks.sealed import FIELDS, unopenable
from bakong_service.storage.engine import sqlite_file
from bakong_service.storage.engine.belonging import prove
from bakong_service.storage.engine.executor import Executor, UnfitDatabase
from bakong_service.storage.idempotency import Claim
from bakong_service.storage.resealing import Standing, reseal, standing
from bakong_service.vault import Vault

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OLD, NEW = {"0": b"the first key of 32 characters ..."}, {"2026": b"the second key of 32 characters ..."}
PEPPER = b"pepper"
PAYMENTS = 7


def business(*rings: dict[str, bytes]) -> Business:
    ring = {key_id: key for each in rings for key_id, key in each.items()}
    shop = Shop(bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee")
    targets = TargetPolicy(private_networks=(), plain_http=False)
    return Business(shop=shop, vault=Vault(ring, PEPPER), webhooks=evolve(WebhookPolicy(), targets=targets))


def work(connection: Connection, shop: Business, now: datetime = NOW) -> UnitOfWork:
    return UnitOfWork(connection=connection, business=shop, actor="user", now=now)


@pytest.fixture
async def filled(executor: Executor) -> Executor:
    """A database with values in every sealed column, all sealed with the old key."""
    shop = business(OLD)
    await prove(executor, shop.vault, mode="live", now=NOW)

    def fill(connection: Connection) -> None:
        unit = work(connection, shop)
        for number in range(PAYMENTS):
            payment = payments.create(unit, NewPayment(amount=Money(250, "USD")))
            sighting = Sighting(
                tx_hash=f"{number:064x}", amount=Decimal("2.50"), currency="USD", to_account="sokha@aclb",
                from_account="payer@bank", sent_at=NOW,
            )  # fmt: skip
            outcome = Outcome(answer=Answer.FOUND, asked_at=NOW, sighting=sighting, raw="{}")
            settling.settle(unit, payment.id, outcome, fence=None)
        unreadable = payments.create(unit, NewPayment(amount=Money(250, "USD")))
        for _ in range(3):
            settling.settle(
                unit, unreadable.id, Outcome(answer=Answer.UNREADABLE, asked_at=NOW, raw="<html>"), fence=None
            )
        endpoint, _ = endpoints.create(unit, NewEndpoint(url="https://shop.example/hooks"))
        endpoints.rotate(work(connection, shop, NOW + timedelta(seconds=1)), endpoint.reference)
        token.adopt(connection, shop.vault, setting="the token", expires_at=None)
        for key in ("a", "b"):
            claim = Claim("main", "POST /v1/payments", key)
            idempotency.claim(connection, claim, fingerprint="f", expires_at=NOW + timedelta(days=7), now=NOW)
            idempotency.keep(connection, claim, status=201, body=shop.vault.seal("{}", claim.place))

    await executor.run(fill)
    return executor


async def counted(executor: Executor, vault: Vault) -> dict[str | None, int]:
    counts: dict[str | None, int] = {}
    for each in await executor.read(lambda c: standing(c, vault), patient=True):
        counts[each.key_id] = counts.get(each.key_id, 0) + each.fields
    return counts


async def resealed(executor: Executor, vault: Vault) -> int:
    done = {progress.column: progress async for progress in reseal(executor, vault)}
    assert [progress.unopenable for progress in done.values() if progress.unopenable] == []
    return sum(progress.resealed for progress in done.values())


async def test_every_sealed_column_is_filled_and_listed(filled: Executor) -> None:
    sealed = {f"{table.name}.{column.name}" for table in schema.metadata.tables.values() for column in table.c
              if column.name.endswith("_enc")}  # fmt: skip
    assert {each.name for each in FIELDS} == sealed - {"sealing_keys.proof_enc"}
    found = await filled.read(lambda c: standing(c, business(OLD).vault), patient=True)
    assert {each.column for each in found} == {each.name for each in FIELDS}
    assert Standing("payments.qr_enc", "0", PAYMENTS + 1) in found


async def test_after_resealing_the_old_key_may_go(filled: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "_AT_ONCE", 3)
    both, new = business(NEW, OLD).vault, business(NEW).vault
    before = await counted(filled, both)
    with pytest.raises(UnfitDatabase):
        await prove(filled, new, mode="live", now=NOW)
    await prove(filled, both, mode="live", now=NOW)
    assert await resealed(filled, both) == before["0"]
    assert await counted(filled, both) == {"2026": before["0"]}
    await prove(filled, new, mode="live", now=NOW)
    assert await filled.read(lambda c: list(unopenable(c, new)), patient=True) == []
    assert await resealed(filled, new) == 0


async def test_a_run_that_was_stopped_goes_on_with_what_is_left(
    filled: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "_AT_ONCE", 2)
    both = business(NEW, OLD).vault
    every = (await counted(filled, both))["0"]
    async for progress in reseal(filled, both):
        if progress.resealed >= 4:
            break
    left = (await counted(filled, both))["0"]
    assert 0 < left < every
    assert await resealed(filled, both) == left
    assert await counted(filled, both) == {"2026": every}


async def test_a_field_that_is_changed_while_it_is_resealed_keeps_the_change(
    filled: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = business(NEW, OLD).vault
    place = "provider_token.token_enc.1"
    renewed = both.seal("the renewed token", place)
    write = resealing._write

    def overtaken(*arguments: Any) -> int:
        if arguments[0].name == "provider_token.token_enc":
            arguments[-1].execute(update(schema.provider_token).values(token_enc=renewed))
        return write(*arguments)

    monkeypatch.setattr(resealing, "_write", overtaken)
    await resealed(filled, both)
    stored = await filled.read(lambda c: c.execute(select(schema.provider_token.c.token_enc)).scalar_one())
    assert both.open(stored, place) == "the renewed token"


async def test_a_field_that_does_not_open_is_named_and_the_others_are_resealed(filled: Executor) -> None:
    both = business(NEW, OLD).vault
    broken = update(schema.idempotency_keys).where(schema.idempotency_keys.c.key == "a").values(body_enc=b"x")
    await filled.run(lambda c: c.execute(broken))
    done = {progress.column: progress async for progress in reseal(filled, both)}
    assert len(done["idempotency_keys.body_enc"].unopenable) == 1
    assert await counted(filled, both) == {"2026": sum(each.resealed for each in done.values()), None: 1}


async def test_two_secrets_of_one_endpoint_that_were_swapped_are_noticed(filled: Executor) -> None:
    def swap(connection: Connection) -> None:
        secrets = schema.endpoint_secrets
        first, second = connection.execute(select(secrets.c.id, secrets.c.secret_enc).order_by(secrets.c.id)).all()
        for one, other in ((first, second), (second, first)):
            connection.execute(update(secrets).where(secrets.c.id == one.id).values(secret_enc=other.secret_enc))

    await filled.run(swap)
    found = await filled.read(lambda c: list(unopenable(c, business(OLD).vault)), patient=True)
    assert [violation.subject.split(".")[0] for violation in found] == ["endpoint_secrets", "endpoint_secrets"]


async def test_any_two_values_of_one_column_that_were_swapped_are_noticed(filled: Executor) -> None:
    for each in FIELDS:
        column, key = each.column, each.key
        rows = await filled.read(
            lambda c, column=column, key=key: c.execute(  # type: ignore[misc]
                select(column, *key).where(column.is_not(None)).order_by(*key).limit(2)
            ).all()
        )
        if len(rows) < 2:
            assert each.name in ("provider_token.token_enc", "review_items.raw_enc")  # one row
            continue
        vault = business(OLD).vault
        page = await filled.read(lambda c, each=each: each.page(c, after=None, limit=2))  # type: ignore[misc]
        for one, other in ((page[0], page[1]), (page[1], page[0])):
            with pytest.raises(Exception, match="altered, moved"):
                vault.open(other.value, one.place)


async def test_a_text_in_the_place_of_a_sealed_value_is_named_and_ends_nothing(sqlite_url: str) -> None:
    """PostgreSQL refuses a text in such a column; SQLite takes it."""
    from bakong_service.storage.engine.executor import connect

    executor = connect(sqlite_url)
    await executor.start()
    try:
        shop = business(OLD)
        await executor.run(lambda c: payments.create(work(c, shop), NewPayment(amount=Money(250, "USD"))))
        await executor.run(lambda c: c.execute(text("UPDATE payments SET qr_enc = CAST(x'ff00' AS TEXT)")))
        (found,) = await executor.read(lambda c: list(unopenable(c, shop.vault)), patient=True)
        assert "isn't a sealed field" in found.found
    finally:
        await executor.close()


class TestTheFile:
    """On SQLite nothing that the old key sealed is left in the file, its free space or its journal."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    async def test_no_old_value_is_left_in_the_file_or_its_journal(self, filled: Executor, sqlite_url: str) -> None:
        path = Path(sqlite_url.removeprefix("sqlite:///"))
        both = business(NEW, OLD).vault
        old = [
            value.value
            for each in FIELDS
            for value in await filled.read(lambda c, each=each: each.page(c, after=None, limit=1000))  # type: ignore[misc]
        ]
        deleted = old[-1]
        await filled.run(lambda c: c.execute(text("DELETE FROM idempotency_keys WHERE key = 'b'")))
        assert deleted in files(path), "the test looks where the value was"
        await resealed(filled, both)
        assert any(value in files(path) for value in old), "resealing alone leaves old values in free space"
        assert sqlite_file.rebuild(path)
        assert [value for value in old if value in files(path)] == []
        assert (
            await filled.read(lambda c: c.execute(select(func.count()).select_from(schema.payments)).scalar_one()) == 8
        )


def files(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
