"""The ledger: entries that move value between accounts, and the balances that are the sums of the entries.

Only `move` writes. It writes an entry and its balances in the caller's transaction, and the database refuses an
overdrawn account. The caller holds `lock_user`, or the payment's row if there is no user.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import frozen
from sqlalchemy import Connection, func, select, update

from bakong_service.domain.identifiers import Identifiers
from bakong_service.domain.ledger import ENDLESS, Account, AccountKind, Reason
from bakong_service.domain.money import Money
from bakong_service.storage.engine.inserting import insert_row
from bakong_service.storage.schema import ledger_balances, ledger_entries

_balances = ledger_balances.c


@frozen
class MoveCause:
    """Why value moves: the reason, and the reference of its cause."""

    reason: Reason
    reference: str


@frozen(kw_only=True)
class Holding:
    """The value of one origin in one currency that one account holds."""

    account: Account
    origin: str
    money: Money


def move(
    connection: Connection,
    identifiers: Identifiers,
    amount: Money,
    source: Account,
    target: Account,
    cause: MoveCause,
    *,
    origin: str | None = None,
    now: datetime,
) -> None:
    """Move an amount from one account to another. Nothing moves if it is zero.

    Without `origin`, the source's origins are taken in the order in which they came in. Raises `ValueError` if the
    source doesn't hold so much, which is a bug.
    """
    if not amount.minor:
        return
    for each, minor in taken(connection, amount, source, origin):
        _change(connection, source, amount.currency, each, -minor)
        _change(connection, target, amount.currency, each, minor)
        row = {
            "id": identifiers.number(now),
            "from_account": source.kind.value,
            "from_holder": source.holder,
            "to_account": target.kind.value,
            "to_holder": target.holder,
            "origin": each,
            "minor": minor,
            "currency": amount.currency,
            "reason": cause.reason.value,
            "cause": cause.reference,
            "at": now,
        }
        insert_row(connection, ledger_entries, row)


def balance(connection: Connection, account: Account, currency: str) -> int:
    """Return what an account holds in a currency, in minor units."""
    total: int = connection.execute(
        select(func.coalesce(func.sum(_balances.minor), 0)).where(
            _balances.account == account.kind.value, _balances.holder == account.holder, _balances.currency == currency
        )
    ).scalar_one()
    return int(total)


def balances(connection: Connection, accounts: Mapping[int, Account]) -> dict[int, int]:
    """Return what each of these accounts of one kind holds in one currency, by the caller's keys, without zeros."""
    if not accounts:
        return {}
    keys = {account.holder: key for key, account in accounts.items()}
    kind = next(iter(accounts.values())).kind
    query = (
        select(_balances.holder, func.sum(_balances.minor).label("minor"))
        .where(_balances.account == kind.value, _balances.holder.in_(keys))
        .group_by(_balances.holder)
    )
    return {keys[row.holder]: int(row.minor) for row in connection.execute(query) if row.minor}


def of_origins(connection: Connection, origins: Iterable[str]) -> list[Holding]:
    """Return where the value of these origins is now, in the order in which it came there."""
    query = (
        select(ledger_balances)
        .where(_balances.origin.in_(tuple(origins)))
        .order_by(_balances.account, _balances.holder, _balances.position)
    )
    return [
        Holding(
            account=Account(AccountKind(row.account), row.holder),
            origin=row.origin,
            money=Money(row.minor, row.currency),
        )
        for row in connection.execute(query)
        if row.minor
    ]


def taken(connection: Connection, amount: Money, source: Account, origin: str | None = None) -> list[tuple[str, int]]:
    """Return which origins an amount out of `source` is taken from, and how much of each.

    Origins are taken in the order in which they came in; with `origin`, only that one. Raises `ValueError` if the
    source doesn't hold so much.
    """
    if source.kind in ENDLESS:
        if origin is None:
            raise ValueError(f"value out of {source.kind.value} needs an origin")
        return [(origin, amount.minor)]
    query = (
        select(_balances.origin, _balances.minor)
        .where(
            _balances.account == source.kind.value,
            _balances.holder == source.holder,
            _balances.currency == amount.currency,
            _balances.minor > 0,
        )
        .order_by(_balances.position)
    )
    if origin is not None:
        query = query.where(_balances.origin == origin)
    wanted, found = amount.minor, []
    for row in connection.execute(query):
        if part := min(wanted, row.minor):
            found.append((row.origin, part))
            wanted -= part
    if wanted:
        raise ValueError(f"{source.kind.value} {source.holder} holds {wanted} less than {amount} {amount.currency}")
    return found


def _change(connection: Connection, account: Account, currency: str, origin: str, minor: int) -> None:
    """Add to a balance. An origin keeps its place in the order, also while the account holds nothing of it."""
    where = (
        (_balances.account == account.kind.value)
        & (_balances.holder == account.holder)
        & (_balances.currency == currency)
        & (_balances.origin == origin)
    )
    changed = connection.execute(update(ledger_balances).where(where).values(minor=_balances.minor + minor))
    if not changed.rowcount:
        last = select(func.coalesce(func.max(_balances.position), 0)).where(
            _balances.account == account.kind.value, _balances.holder == account.holder
        )
        ordered = account.holder != ""  # value leaves the other accounts by its origin only
        row = {
            "account": account.kind.value,
            "holder": account.holder,
            "currency": currency,
            "origin": origin,
            "minor": minor,
            "position": connection.execute(last).scalar_one() + 1 if ordered else 0,
        }
        insert_row(connection, ledger_balances, row)
