"""A part of a payment's money is taken from where the user can do without it: credit, what is lost, the last period."""

from bakong_service.domain import ledger as accounts
from bakong_service.domain.money import Money
from bakong_service.operations.subscriptions.reversing import _chosen
from bakong_service.storage.ledger.entries import Holding


def held(account: accounts.Account, cents: int) -> Holding:
    return Holding(account=account, origin="receipt:1", money=Money(cents, "USD"))


HELD = [
    held(accounts.SERVED, 40),
    held(accounts.period(9), 30),
    held(accounts.period(10), 20),
    held(accounts.LOST, 3),
    held(accounts.credit("u1"), 5),
]


def taken(cents: int) -> list[tuple[accounts.Account, int]]:
    return [(holding.account, holding.money.minor) for holding in _chosen(HELD, Money(cents, "USD"))]


def test_credit_goes_first_and_nothing_more_is_touched() -> None:
    assert taken(4) == [(accounts.credit("u1"), 4)]
    assert taken(5) == [(accounts.credit("u1"), 5)]


def test_the_last_period_goes_before_an_earlier_one() -> None:
    """Period 10 is later than period 9, although it comes first in the alphabet."""
    first = [(accounts.credit("u1"), 5), (accounts.LOST, 3), (accounts.period(10), 20)]
    assert taken(28) == first
    assert taken(29) == [*first, (accounts.period(9), 1)]


def test_what_is_served_goes_last() -> None:
    assert taken(98)[-2:] == [(accounts.period(9), 30), (accounts.SERVED, 40)]
