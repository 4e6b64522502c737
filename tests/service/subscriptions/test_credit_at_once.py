"""Credit that two transactions change at once: every cent counts once, and the balance is never below zero.

PostgreSQL runs transactions beside each other. A SQLite file has one writer, so nothing there is at once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import asyncpg
import pytest
from sqlalchemy import func, select

from bakong_service.domain import ledger as accounts
from bakong_service.domain.errors import Conflict
from bakong_service.domain.money import Money
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments import reviews
from bakong_service.operations.subscriptions import renewing
from bakong_service.storage.checks.verification import verify
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.schema import ledger_balances, ledger_entries
from kit.till import Till

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('u1', 7237))"
WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
"""
Action = Callable[[], Awaitable[Any]]


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    """PostgreSQL alone."""
    return postgresql_url


@pytest.fixture
async def at_once(postgresql_url: str) -> AsyncIterator[Callable[..., Awaitable[list[Any]]]]:
    """Let actions wait for the same user, in this order, all in a transaction of their own; then let them go on."""
    other = await asyncpg.connect(postgresql_url)

    async def run(*actions: Action) -> list[Any]:
        came: list[Any] = [None] * len(actions)

        async def act(place: int) -> None:
            try:
                came[place] = await actions[place]()
            except Conflict as conflict:
                came[place] = conflict.code

        held = other.transaction()
        await held.start()
        await other.execute(LOCK)
        async with anyio.create_task_group() as group:
            for place in range(len(actions)):
                group.start_soon(act, place)
                while await other.fetchval(WAITING) <= place:
                    assert came[place] is None, "it changed the user's credit while another transaction held the user"
                    await anyio.sleep(0.005)
            await held.rollback()
        return came

    yield run
    await other.close()


@pytest.fixture
async def books(desk: Till) -> AsyncIterator[None]:
    """When the test is over, every promise about value holds."""
    yield
    found = await desk.executor.read(
        lambda c: verify(c, desk.business.vault, subscription_grace=timedelta(days=3), now=desk.now), many=True
    )
    assert found == []


def grant(desk: Till, minor: int) -> Action:
    return partial(desk.do, credit.grant, "u1", Money(minor, "USD"), reason="goodwill", actor="operator:sokha")


def renew(desk: Till, reference: str) -> Action:
    return partial(desk.do, renewing.renew, reference)


async def set_aside(desk: Till, payment: Any) -> int:
    held: int = await desk.read(ledger.balance, accounts.set_aside(payment.reference), "USD")
    return held


async def test_grants_at_once_all_count(desk: Till, at_once: Any, books: None) -> None:
    amounts = [1, 2, 4, 8, 16, 32]
    granted = await at_once(*(grant(desk, minor) for minor in amounts))
    assert [each.balance for each in granted] == ["0.01", "0.03", "0.07", "0.15", "0.31", "0.63"]
    assert await desk.credit() == 63
    query = select(func.count()).select_from(ledger_entries)
    assert await desk.read(lambda c: c.execute(query).scalar_one()) == 6
    places = select(ledger_balances.c.minor).where(ledger_balances.c.account == "credit")
    in_order = places.order_by(ledger_balances.c.position)
    assert await desk.read(lambda c: c.execute(in_order).scalars().all()) == amounts  # what came first is spent first


async def test_removals_at_once_never_take_more_than_there_is(desk: Till, at_once: Any, books: None) -> None:
    await grant(desk, 40)()
    first, second = await at_once(grant(desk, -30), grant(desk, -30))
    assert (first.balance, second) == ("0.10", "credit_too_small")
    assert await desk.credit() == 10


async def test_a_grant_before_a_renewal_lowers_its_qr(desk: Till, at_once: Any, books: None) -> None:
    subscription = await desk.subscribe()
    await grant(desk, 20)()
    granted, renewed = await at_once(grant(desk, 15), renew(desk, subscription.reference))
    assert granted.balance == "0.35"
    assert (renewed.payment.amount.minor, await set_aside(desk, renewed.payment), await desk.credit()) == (15, 35, 0)


async def test_a_grant_after_a_renewal_stays_credit(desk: Till, at_once: Any, books: None) -> None:
    subscription = await desk.subscribe()
    await grant(desk, 20)()
    renewed, granted = await at_once(renew(desk, subscription.reference), grant(desk, 15))
    assert granted.balance == "0.15"
    assert (renewed.payment.amount.minor, await set_aside(desk, renewed.payment), await desk.credit()) == (30, 20, 15)


async def test_credit_is_removed_or_spent_and_never_both(desk: Till, at_once: Any, books: None) -> None:
    subscription = await desk.subscribe()
    await grant(desk, 50)()
    removed, renewed = await at_once(grant(desk, -50), renew(desk, subscription.reference))
    assert (removed.balance, renewed.payment.amount.minor, renewed.payment.credit_reserved) == ("0.00", 50, 0)
    await grant(desk, 50)()
    desk.later(seconds=400)
    renewed, removed = await at_once(renew(desk, subscription.reference), grant(desk, -50))
    assert (renewed.payment, removed, await desk.credit()) == (None, "credit_too_small", 0)
    assert (await desk.of()).last_paid_period == 2


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_grant_beside_a_refund_is_not_the_payers(desk: Till, at_once: Any, books: None, is_first: bool) -> None:
    paid = await desk.pay(await desk.buy())
    refund = partial(desk.do, reviews.record_refund, paid.reference, refund_reference="FT1", reverse=True)
    actions = [grant(desk, 15), refund]
    await at_once(*(actions if is_first else actions[::-1]))
    assert (await desk.credit(), (await desk.of()).status) == (15, "expired")
