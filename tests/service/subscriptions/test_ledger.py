"""The ledger on both databases: value moves with its origin, the first that came first, and no account is overdrawn."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from bakong_service.domain import ledger as accounts
from bakong_service.domain.ledger import GIFT, LOST, OUTSIDE, SERVED, Account, AccountKind, Reason
from bakong_service.domain.money import Money
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.ledger.entries import Holding, MoveCause
from bakong_service.storage.schema import ledger_balances, ledger_entries
from kit.till import Till

pytestmark = pytest.mark.anyio

U1, U2 = accounts.credit("u1"), accounts.credit("u2")
FIRST, SECOND, THIRD = accounts.receipt_origin(1), accounts.receipt_origin(2), accounts.gift_origin("gift_3")
REFUSED_BY_THE_DATABASE = (DBAPIError, DatabaseUnavailable)
"""What SQLite raises, and what PostgreSQL's executor raises after it has tried again."""


@pytest.fixture
def move(desk: Till) -> Callable[..., Any]:
    """Move an amount of cents; each move a second after the one before it, for an entry's id is made of its time."""

    async def move(
        minor: int, source: Account, target: Account, *, origin: str | None = None, currency: str = "USD"
    ) -> None:
        desk.later(seconds=1)
        cause = MoveCause(Reason.PAID, "pay_1")
        money = Money(minor, currency)
        await desk.do(lambda work: work.move(money, source, target, cause, origin=origin))

    return move


async def holdings(desk: Till, *origins: str) -> list[tuple[str, str, str, int]]:
    """Where these origins are: origin, account, holder, cents."""
    found = await desk.read(ledger.of_origins, origins)
    return [(each.origin, each.account.kind.value, each.account.holder, each.money.minor) for each in found]


async def entries(desk: Till) -> list[Any]:
    """All entries, in the order in which they were written."""
    return list(await desk.read(lambda c: c.execute(select(ledger_entries).order_by(ledger_entries.c.id)).all()))


async def test_an_entry_says_what_moved_where_and_why(desk: Till, move: Any) -> None:
    await move(50, OUTSIDE, accounts.period(7), origin=FIRST)
    (entry,) = await entries(desk)
    assert (entry.from_account, entry.from_holder, entry.to_account, entry.to_holder) == ("outside", "", "period", "7")
    assert (entry.origin, entry.minor, entry.currency) == ("receipt:1", 50, "USD")
    assert (entry.reason, entry.cause, entry.at) == ("paid", "pay_1", desk.now)
    found = await desk.read(ledger.of_origins, [FIRST])
    assert found == [
        Holding(account=OUTSIDE, origin=FIRST, money=Money(-50, "USD")),
        Holding(account=accounts.period(7), origin=FIRST, money=Money(50, "USD")),
    ]


async def test_nothing_is_no_entry(desk: Till, move: Any) -> None:
    await move(0, U1, U2)
    await move(0, OUTSIDE, U1)
    assert await entries(desk) == []


async def test_origins_leave_an_account_in_the_order_in_which_they_came(desk: Till, move: Any) -> None:
    for minor, source, origin in ((30, OUTSIDE, SECOND), (20, GIFT, THIRD), (10, OUTSIDE, FIRST)):
        await move(minor, source, U1, origin=origin)
    await move(5, OUTSIDE, U1, origin=SECOND)  # more of what is there already keeps its place
    await move(40, U1, LOST)
    assert {(each.origin, each.minor) for each in (await entries(desk))[-2:]} == {(SECOND, 35), (THIRD, 5)}
    found = await holdings(desk, FIRST, SECOND, THIRD)
    assert found[:2] == [(THIRD, "credit", "u1", 15), (FIRST, "credit", "u1", 10)]
    assert sorted(found[2:]) == [
        (THIRD, "gift", "", -20), (THIRD, "lost", "", 5),
        (FIRST, "outside", "", -10), (SECOND, "lost", "", 35), (SECOND, "outside", "", -35),
    ]  # fmt: skip
    await move(25, U1, SERVED)
    assert {(each.origin, each.minor) for each in (await entries(desk))[-2:]} == {(THIRD, 15), (FIRST, 10)}


async def test_an_origin_that_was_all_taken_and_comes_again_has_its_place_again(desk: Till, move: Any) -> None:
    await move(10, OUTSIDE, U1, origin=FIRST)
    await move(10, OUTSIDE, U1, origin=SECOND)
    await move(10, U1, U2)
    await move(10, U2, U1)
    await move(10, U1, LOST)
    assert (await entries(desk))[-1].origin == FIRST


async def test_a_named_origin_is_taken_and_no_other(desk: Till, move: Any) -> None:
    await move(10, OUTSIDE, U1, origin=FIRST)
    await move(10, OUTSIDE, U1, origin=SECOND)
    await move(7, U1, U2, origin=SECOND)
    assert await holdings(desk, SECOND) == [
        (SECOND, "credit", "u1", 3), (SECOND, "credit", "u2", 7), (SECOND, "outside", "", -10),
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"credit u1 holds 1 less than 0\.04 USD"):
        await move(4, U1, U2, origin=SECOND)
    assert await desk.credit() == 13


async def test_each_user_and_each_currency_has_a_balance_of_its_own(desk: Till, move: Any) -> None:
    await move(10, OUTSIDE, U1, origin=FIRST)
    await move(4000, OUTSIDE, U1, origin=SECOND, currency="KHR")
    await move(30, OUTSIDE, U2, origin=THIRD)
    assert [await desk.credit(user, currency) for user in ("u1", "u2", "u3") for currency in ("USD", "KHR")] == [
        10, 4000, 30, 0, 0, 0,
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"credit u1 holds 1 less than 0\.11 USD"):
        await move(11, U1, LOST)
    await move(4000, U1, LOST, currency="KHR")
    assert await desk.credit() == 10


async def test_a_user_who_is_named_like_a_payment_has_a_balance_of_their_own(desk: Till, move: Any) -> None:
    user, aside = accounts.credit("pay_1"), accounts.set_aside("pay_1")
    await move(10, OUTSIDE, user, origin=FIRST)
    await move(20, OUTSIDE, aside, origin=FIRST)
    assert [await desk.read(ledger.balance, each, "USD") for each in (user, aside)] == [10, 20]
    assert await desk.read(ledger.balances, {1: user}) == {1: 10}
    with pytest.raises(ValueError, match=r"credit pay_1 holds 1 less than 0\.11 USD"):
        await move(11, user, LOST)
    await move(20, aside, user)
    assert [await desk.read(ledger.balance, each, "USD") for each in (user, aside)] == [30, 0]


async def test_balances_are_told_by_the_callers_key_and_an_empty_account_is_left_out(desk: Till, move: Any) -> None:
    await move(10, OUTSIDE, accounts.period(7), origin=FIRST)
    await move(5, OUTSIDE, accounts.period(7), origin=SECOND)
    await move(3, OUTSIDE, accounts.period(8), origin=FIRST)
    await move(3, accounts.period(8), SERVED)
    await move(1, OUTSIDE, accounts.review(9), origin=FIRST)
    asked = {70: accounts.period(7), 80: accounts.period(8), 90: accounts.period(9)}
    assert await desk.read(ledger.balances, asked) == {70: 15}
    assert await desk.read(ledger.balances, {}) == {}


async def test_nothing_is_told_of_no_origin(desk: Till, move: Any) -> None:
    await move(10, OUTSIDE, U1, origin=FIRST)
    assert await holdings(desk) == []


@pytest.mark.parametrize("pocket", [OUTSIDE, GIFT])
async def test_value_out_of_a_pocket_needs_an_origin_and_has_no_end(desk: Till, move: Any, pocket: Account) -> None:
    with pytest.raises(ValueError, match=f"value out of {pocket.kind.value} needs an origin"):
        await move(10, pocket, U1)
    await move(10, pocket, U1, origin=FIRST)
    await move(10**12, pocket, U2, origin=FIRST)
    await move(10**12, U2, pocket)
    await move(10, U1, pocket)
    assert await holdings(desk, FIRST) == []  # what came and went back leaves no holding


@pytest.mark.parametrize(
    "account", [U1, accounts.period(1), accounts.set_aside("pay_1"), accounts.review(1), SERVED, LOST], ids=str
)
async def test_no_account_is_overdrawn(desk: Till, move: Any, account: Account) -> None:
    with pytest.raises(ValueError, match=rf"{account.kind.value} .*holds 1 less than 0\.01 USD"):
        await move(1, account, OUTSIDE)
    await move(5, OUTSIDE, account, origin=FIRST)
    with pytest.raises(ValueError, match=r"holds 1 less than 0\.06 USD"):
        await move(6, account, OUTSIDE)
    assert await desk.read(ledger.balance, account, "USD") == 5
    await move(4, account, OUTSIDE)
    await move(1, account, OUTSIDE)
    assert await desk.read(ledger.balance, account, "USD") == 0


@pytest.mark.parametrize("kind", [kind for kind in AccountKind if kind not in accounts.ENDLESS])
async def test_the_database_refuses_an_overdrawn_account(desk: Till, move: Any, kind: AccountKind) -> None:
    account = Account(kind, "1")
    await move(5, OUTSIDE, account, origin=FIRST)
    overdrawn = update(ledger_balances).where(ledger_balances.c.account == kind.value).values(minor=-1)
    with pytest.raises(REFUSED_BY_THE_DATABASE, match="not_overdrawn"):
        await desk.do(lambda work: work.connection.execute(overdrawn))
    assert await desk.read(ledger.balance, account, "USD") == 5


@pytest.mark.parametrize("account", [OUTSIDE, GIFT])
async def test_the_database_lets_a_pocket_give(desk: Till, move: Any, account: Account) -> None:
    await move(5, account, U1, origin=FIRST)
    assert await desk.read(ledger.balance, account, "USD") == -5


async def test_the_database_refuses_to_change_or_delete_an_entry(desk: Till, move: Any) -> None:
    desk.at(datetime.now(UTC))  # the database counts a year by its own clock
    await move(5, OUTSIDE, U1, origin=FIRST)
    before = await entries(desk)
    for statement, message in (
        (update(ledger_entries).values(minor=6), "ledger_entries is append-only"),
        (delete(ledger_entries), "rows of ledger_entries are kept for at least a year"),
    ):
        with pytest.raises(REFUSED_BY_THE_DATABASE, match=message):
            await desk.do(lambda work, statement=statement: work.connection.execute(statement))
    assert await entries(desk) == before


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"minor": 0}, "moves_something"),
        ({"minor": -5}, "moves_something"),
        ({"to_account": "outside", "to_holder": ""}, "moves_somewhere"),
        ({"currency": "EUR"}, "currency"),
    ],
)
async def test_the_database_refuses_an_entry_that_moves_nothing(desk: Till, changed: dict[str, Any], name: str) -> None:
    row = {
        "id": 1, "from_account": "outside", "from_holder": "", "to_account": "credit", "to_holder": "u1",
        "origin": FIRST, "minor": 5, "currency": "USD", "reason": "paid", "cause": "pay_1", "at": desk.now,
    }  # fmt: skip

    def write(work: UnitOfWork) -> None:
        work.connection.execute(insert(ledger_entries).inline(), row | changed)

    with pytest.raises(REFUSED_BY_THE_DATABASE, match=name):
        await desk.do(write)
    assert await entries(desk) == []


async def test_a_refused_move_leaves_nothing_behind(desk: Till, move: Any) -> None:
    await move(5, OUTSIDE, U1, origin=FIRST)
    before = await entries(desk)
    with pytest.raises(ValueError, match="holds 1 less"):
        await move(6, U1, U2)
    assert await entries(desk) == before
    assert await holdings(desk, FIRST) == [(FIRST, "credit", "u1", 5), (FIRST, "outside", "", -5)]


def test_an_origin_says_whether_it_is_a_gift() -> None:
    assert accounts.is_gift(accounts.gift_origin("pay_1"))
    assert not accounts.is_gift(accounts.receipt_origin(1))
    assert (accounts.receipt_origin(5), accounts.gift_origin("gift_5")) == ("receipt:5", "gift:gift_5")
