"""The main backend behind a bad link to PostgreSQL: it repeats a request with its key until it is answered, and every
payment is there once, paid once, told once."""

import os
import random
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, Select, func, select

from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.operations.payments.settling import settle
from bakong_service.storage import schema
from bakong_service.storage.checks.verification import verify
from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.storage.engine.postgresql import PostgresqlExecutor
from bakong_service.storage.payments import payments, receipts
from bakong_service.web.http.service import Service
from kit.link import Link

pytestmark = [pytest.mark.anyio, pytest.mark.postgres, pytest.mark.uncounted]

MOMENTS = ("connect", "begin", "statement", "commit", "commit", "read")
FAULTS = ("slow", "reset before", "reset after", "late", "silent before", "silent after", "garbage")
ORDERS = 5


@pytest.fixture
async def executor(far: PostgresqlExecutor) -> PostgresqlExecutor:
    """What the service runs on here."""
    return far


def _all(connection: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(query)]


@pytest.mark.parametrize("fault", ["reset before", "reset after", "late", "silent before", "silent after", "garbage"])
async def test_a_create_whose_commit_was_lost_makes_one_payment_and_tells_it(
    client: httpx.AsyncClient, service: Service, link: Link, fault: str
) -> None:
    async def create() -> httpx.Response:
        body, headers = {"amount": "2.50", "currency": "USD"}, {"Idempotency-Key": "order-42"}
        return await client.post("/v1/payments", json=body, headers=headers)

    link.arm(("commit", fault))
    first = await create()
    assert not link.armed
    again = await create()
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    rows = select(func.count()).select_from(schema.payments)
    assert await service.executor.read(lambda c: c.execute(rows).scalar_one()) == 1


async def test_a_create_that_nobody_knows_the_outcome_of_is_a_503_and_the_same_payment_when_repeated(
    client: httpx.AsyncClient, service: Service, link: Link
) -> None:
    body, headers = {"amount": "2.50", "currency": "USD"}, {"Idempotency-Key": "order-42"}
    link.arm(("commit", "reset after"), *[("connect", "reset before")] * 3)
    unknown = await client.post("/v1/payments", json=body, headers=headers)
    assert (unknown.status_code, unknown.json()["code"]) == (503, "database_unavailable")
    assert unknown.headers["retry-after"]
    told = await client.post("/v1/payments", json=body, headers=headers)
    assert (told.status_code, told.headers["idempotency-replayed"]) == (201, "true")
    made = select(schema.payments.c.reference)
    assert await service.executor.read(lambda c: list(c.execute(made).scalars())) == [told.json()["reference"]]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_breaks_a_payment_is_made_paid_and_told_once(
    client: httpx.AsyncClient, service: Service, link: Link, seed: int
) -> None:
    await sell_behind_a_bad_link(client, service, link, random.Random(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 3 + int(os.environ.get("LINKS", "200"))))
async def test_whatever_breaks_a_payment_is_made_paid_and_told_once_at_length(
    client: httpx.AsyncClient, service: Service, link: Link, seed: int
) -> None:
    await sell_behind_a_bad_link(client, service, link, random.Random(seed))


async def sell_behind_a_bad_link(client: httpx.AsyncClient, service: Service, link: Link, rng: random.Random) -> None:
    made = []
    for order in range(ORDERS):
        body = await ordered(client, link, rng, key=f"order-{order}")
        made.append(body["reference"])
        await paid(service, link, rng, body["reference"], tx_hash=f"{order:064x}")
    link.armed.clear()
    assert len(set(made)) == ORDERS
    for table in (schema.payments, schema.receipts):
        rows = select(func.count()).select_from(table)
        assert await service.executor.read(partial(_all, query=rows), many=True) == [(ORDERS,)]
    told = select(schema.events.c.type, func.count()).group_by(schema.events.c.type)
    counts = await service.executor.read(partial(_all, query=told), many=True)
    assert sorted(counts) == [("payment.created", ORDERS), ("payment.paid", ORDERS)]
    for reference in made:
        assert (await client.get(f"/v1/payments/{reference}")).json()["status"] == "paid"
    business, now = service.business, service.clock.now()
    checked = partial(verify, vault=business.vault, subscription_grace=timedelta(days=3), now=now)
    assert await service.executor.read(checked, many=True) == []


def spoil(link: Link, rng: random.Random) -> None:
    """Let up to two things break next."""
    link.armed.clear()
    link.arm(*[(rng.choice(MOMENTS), rng.choice(FAULTS)) for _ in range(rng.randrange(3))])


async def ordered(client: httpx.AsyncClient, link: Link, rng: random.Random, *, key: str) -> dict[str, Any]:
    """A payment, asked for until it is answered."""
    for _ in range(20):
        spoil(link, rng)
        response = await client.post(
            "/v1/payments", json={"amount": "2.50", "currency": "USD"}, headers={"Idempotency-Key": key}
        )
        if response.status_code == 201:
            body: dict[str, Any] = response.json()
            return body
        assert response.status_code in (409, 503), response.text
        assert response.json()["code"] in ("idempotency_in_progress", "database_unavailable")
    raise AssertionError("never answered")


async def paid(service: Service, link: Link, rng: random.Random, reference: str, *, tx_hash: str) -> None:
    """Bakong shows the money, as often as it takes to write it down; and once more."""
    now = service.clock.now()
    sighting = Sighting(
        tx_hash=tx_hash, amount=Decimal("2.5"), currency="USD", to_account="sokha@aclb", sent_at=now
    )  # fmt: skip
    outcome = Outcome(answer=Answer.FOUND, asked_at=now, sighting=sighting, raw="{}")
    written = 0
    for _ in range(20):
        spoil(link, rng)
        try:
            payment = await service.executor.read(lambda c: payments.by_reference(c, reference))
            assert payment is not None
            await service.run("user", partial(settle, payment_id=payment.id, outcome=outcome))
        except DatabaseUnavailable:
            continue
        written += 1
        if written == 2:
            kept = await service.executor.read(lambda c: receipts.by_hash(c, tx_hash))
            assert kept is not None
            return
    raise AssertionError("never written")
