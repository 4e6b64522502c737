"""Reads the value of an endpoint from a response, and raises an error if it can't be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from bakong_khqr.api.answers import (
    Account,
    DeepLink,
    Transaction,
    UnreadableMember,
    account_of,
    deep_link_of,
    token_text_of,
    transaction_of,
)
from bakong_khqr.api.call import Response
from bakong_khqr.api.envelope import open_envelope
from bakong_khqr.api.token import Token
from bakong_khqr.errors import (
    BakongError,
    InvalidRequest,
    ServerUnavailable,
    StaticQRNotSupported,
    TransactionFailed,
    UnexpectedAnswer,
    UnreadableTransaction,
)

T = TypeVar("T")

Outcome = Transaction | BakongError | None
"""The result of a list for one key: the payment, None for "not found yet", or why the state is unknown."""

NOT_FOUND, NO_ACCOUNT = 1, 11  # error codes that say "there is none"

# Why an item has no transaction, by its status. No document has SERVICE_FAILED, but production sends it.
_ITEM_ERRORS: dict[str, tuple[type[BakongError], str]] = {
    "FAILED": (TransactionFailed, "the payer's transaction failed"),
    "STATIC_QR": (StaticQRNotSupported, "Bakong can't track a static code by its MD5"),
    "SERVICE_FAILED": (ServerUnavailable, "Bakong couldn't look up this key (SERVICE_FAILED)"),
}

# If a list item has any of these members, it contains a transaction.
_MONEY = frozenset({"hash", "fromAccountId", "toAccountId", "currency", "amount"})


def read_nothing(response: Response) -> None:
    """Read a success whose data doesn't matter."""
    _data(response)


def read_token(response: Response) -> Token:
    """Return the token that was issued."""
    text = _read(_data(response), token_text_of)
    try:
        return Token(text)
    except InvalidRequest as error:
        raise UnexpectedAnswer("Bakong issued a token that no header can hold") from error


def read_deep_link(response: Response) -> DeepLink:
    """Return the deep link of an answer."""
    return _read(_data(response), deep_link_of)


def read_account(response: Response, account_id: str) -> Account | None:
    """Return an account, or `None` if there is no such account."""
    envelope = open_envelope(response, absent_code=NO_ACCOUNT)
    return None if envelope is None else _read(envelope.data, lambda data: account_of(data, account_id))


def read_existence(response: Response) -> bool:
    """Return whether the account exists."""
    return open_envelope(response, absent_code=NO_ACCOUNT) is not None


def read_transaction(response: Response) -> Transaction | None:
    """Return a payment, or `None` for "not found yet"."""
    envelope = open_envelope(response, absent_code=NOT_FOUND)
    return None if envelope is None else _transaction(envelope.data, response)


def read_transaction_of(response: Response, asked: Callable[[Transaction], bool], by: str) -> Transaction | None:
    """Return the payment if `asked` accepts it. Raises `UnexpectedAnswer` for a payment with another `by`."""
    transaction = read_transaction(response)
    if transaction is not None and not asked(transaction):
        raise UnexpectedAnswer(f"Bakong answered with a transaction of another {by}")
    return transaction


def read_items(response: Response, keys: Sequence[str], echoed: str) -> dict[str, Outcome]:
    """Return the result of each key. An item has its key in the member `echoed`; its position means nothing.

    A key without an item, or with two different items, gets an error, because its state is unknown.
    """
    items = _data(response)
    if not isinstance(items, list):
        raise UnexpectedAnswer(f"a list's data must be an array, not {type(items).__name__}")
    found: dict[str, object] = {}
    for item in items:
        key = item.get(echoed) if isinstance(item, dict) else None
        if isinstance(key, str):
            found[key.lower()] = item if found.get(key.lower(), item) == item else None
    return {key: _outcome(found, key, echoed, response) for key in keys}


def _outcome(found: Mapping[str, object], key: str, echoed: str, response: Response) -> Outcome:
    item = found.get(key.lower())
    if not isinstance(item, dict):
        why = "two different items" if key.lower() in found else "no item"
        return UnexpectedAnswer(f"the list's answer has {why} for this {echoed}; its state is unknown")
    status = item.get("status")
    # The document has the transaction in `data`; two other clients also read it from `transaction` or the item itself.
    data = item.get("data") or item.get("transaction")
    if status == "SUCCESS":
        inline = {name: value for name, value in item.items() if name not in {"status", "message"}}
        try:
            transaction = _transaction(data or inline, response)
        except UnreadableTransaction as error:
            return error
        if echoed == "hash" and transaction.hash.lower() != key.lower():
            return UnexpectedAnswer("the item has a transaction with another hash")
        return transaction
    if status == "NOT_FOUND":
        # With a transaction, even in the item itself, the answer contradicts itself, and there may be money.
        if data or any(item.get(name) for name in _MONEY - {echoed}):
            return UnexpectedAnswer("the item says not found but has a transaction; its state is unknown")
        return None
    if isinstance(status, str) and status in _ITEM_ERRORS:
        kind, text = _ITEM_ERRORS[status]
        return kind(text)
    return UnexpectedAnswer(f"the item has an unknown status; the state of this {echoed} is unknown")


def _transaction(data: object, response: Response) -> Transaction:
    try:
        return transaction_of(data)
    except UnreadableMember as error:
        raise UnreadableTransaction(
            f"Bakong says success, but the transaction can't be read, and may be money: {error}", body=response.body
        ) from error


def _data(response: Response) -> object:
    envelope = open_envelope(response)
    return None if envelope is None else envelope.data


def _read(data: object, read: Callable[[object], T]) -> T:
    try:
        return read(data)
    except UnreadableMember as error:
        raise UnexpectedAnswer(f"Bakong says success, but its data can't be read: {error}") from error
