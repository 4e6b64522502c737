"""The thirteen endpoints of the Bakong Open API: each is a function from arguments to a `Call`.

Arguments are checked before anything is sent: a wrong Python type raises `TypeError`, and a broken rule raises
`InvalidRequest`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import TypeVar

from bakong_khqr.api import readers
from bakong_khqr.api.answers import Account, DeepLink, Transaction
from bakong_khqr.api.arguments import (
    SourceInfo,
    checked_account,
    checked_email,
    checked_khqr,
    checked_md5,
    checked_text,
)
from bakong_khqr.api.call import BearerUse, Call, Request, Response
from bakong_khqr.api.token import Token
from bakong_khqr.errors import InvalidRequest
from bakong_khqr.khqr import KHQR
from bakong_khqr.money import Currency, read_currency, write_amount

T = TypeVar("T")

LIST_SIZE = 50
"""The most keys that a list endpoint takes (document 1.0.5)."""


def request_token(email: str, *, organization: str, project: str) -> Call[None]:
    """Ask for a code by mail. Since version 1.0.3, the document only describes registering in the portal."""
    body = {
        "email": checked_email(email),
        "organization": checked_text("organization", organization, 1, 100),
        "project": checked_text("project", project, 1, 100),
    }
    return _call("request_token", body, readers.read_nothing, bearer="never", repeatable=False)


def verify_code(code: str) -> Call[Token]:
    """Get the first token for the 20-character code from the mail. The document has left this out since 1.0.3."""
    body = {"code": checked_text("code", code, 20, 20, secret=True)}
    return _call("verify", body, readers.read_token, bearer="never", repeatable=False)


def renew_token(email: str) -> Call[Token]:
    """Get a new token. It only takes the registered email, so the email is as secret as the token."""
    return _call("renew_token", {"email": checked_email(email)}, readers.read_token, bearer="never")


def generate_deeplink(khqr: KHQR | str, *, source_info: SourceInfo | None = None) -> Call[DeepLink]:
    """Ask for a link that opens the payer's bank app. Raises `InvalidKHQR` for a wrong payload."""
    body: dict[str, object] = {"qr": checked_khqr(khqr).payload}
    if source_info is not None:
        if not isinstance(source_info, SourceInfo):
            raise TypeError(f"source_info: must be a SourceInfo, not {type(source_info).__name__}")
        body["sourceInfo"] = {
            "appIconUrl": source_info.app_icon_url,
            "appName": source_info.app_name,
            "appDeepLinkCallback": source_info.app_deep_link_callback,
        }
    return _call("generate_deeplink_by_qr", body, readers.read_deep_link, bearer="never")


def check_account(account_id: str) -> Call[Account | None]:
    """Ask whether a Bakong account exists, and what is known about it."""
    body = {"accountId": checked_account(account_id)}
    # The document requires a token, and the live service doesn't, so the token is sent if there is one.
    return _call("check_bakong_account", body, partial(readers.read_account, account_id=account_id), bearer="if held")


def account_exists(account_id: str) -> Call[bool]:
    """Ask only whether a Bakong account exists. The tests of the official SDK use this endpoint; no document has it."""
    body = {"accountId": checked_account(account_id)}
    return _call("check_account_exist", body, readers.read_existence, bearer="never")


def transaction_by_md5(md5: str) -> Call[Transaction | None]:
    """Ask for the payment of a dynamic code by the MD5 of its payload."""
    return _call("check_transaction_by_md5", {"md5": checked_md5("md5", md5)}, readers.read_transaction)


def transaction_by_hash(hash: str) -> Call[Transaction | None]:  # noqa: A002 - the API's name for it
    """Ask for a payment by the hash of its transaction, 64 hexadecimal digits."""
    body = {"hash": checked_text("hash", hash, 1, 255)}
    return _transaction_call("check_transaction_by_hash", body, lambda paid: paid.hash.lower() == hash.lower(), "hash")


def transaction_by_short_hash(
    short_hash: str, *, amount: Decimal | int | str, currency: Currency | str | int
) -> Call[Transaction | None]:
    """Ask for a payment by the first 8 digits of its hash, its amount and its currency, as a bank's slip shows them."""
    hash_ = json.dumps(checked_text("short_hash", short_hash, 8, 8))
    checked_currency = read_currency(currency)
    written = write_amount(amount, checked_currency)
    if written is None:
        raise InvalidRequest("amount: must be more than 0")
    # json.dumps can't write a Decimal, and money is never a float, so the number is inserted as text.
    body = f'{{"hash": {hash_}, "amount": {written}, "currency": "{checked_currency}"}}'
    amount_and_currency = (Decimal(written), checked_currency)

    def asked(paid: Transaction) -> bool:
        begins = paid.hash.lower().startswith(short_hash.lower())
        return begins and (paid.amount, paid.currency) == amount_and_currency

    return _transaction_call("check_transaction_by_short_hash", body.encode(), asked, "short hash, amount or currency")


def transaction_by_instruction_ref(instruction_ref: str) -> Call[Transaction | None]:
    """Ask for a payment by the reference of the sender's instruction."""
    body = {"instructionRef": checked_text("instruction_ref", instruction_ref, 1, 255)}
    return _transaction_call(
        "check_transaction_by_instruction_ref",
        body,
        lambda paid: _is_or_unstated(paid.instruction_ref, instruction_ref),
        "instruction reference",
    )


def transaction_by_external_ref(external_ref: str) -> Call[Transaction | None]:
    """Ask for a payment by the reference of the payer's bank. A merchant's bill number never matches."""
    body = {"externalRef": checked_text("external_ref", external_ref, 1, 255)}
    return _transaction_call(
        "check_transaction_by_external_ref",
        body,
        lambda paid: _is_or_unstated(paid.external_ref, external_ref),
        "external reference",
    )


def transactions_by_md5(md5s: Sequence[str]) -> Call[dict[str, readers.Outcome]]:
    """Ask for 1 to 50 payments at once by the MD5s of their codes. The result has the keys as they are given."""
    body = [checked_md5("md5s", md5) for md5 in md5s]
    return _list_call("check_transaction_by_md5_list", body, partial(readers.read_items, keys=md5s, echoed="md5"))


def transactions_by_hash(hashes: Sequence[str]) -> Call[dict[str, readers.Outcome]]:
    """Ask for 1 to 50 payments at once by their hashes. The result has the keys as they are given."""
    body = [checked_text("hashes", each, 1, 255) for each in hashes]
    return _list_call("check_transaction_by_hash_list", body, partial(readers.read_items, keys=hashes, echoed="hash"))


def _is_or_unstated(answered: str | None, asked: str) -> bool:
    """Return whether a transaction has this reference or none, because Bakong leaves it out of many answers."""
    return not answered or answered.strip() == asked.strip()


def _transaction_call(
    purpose: str, body: Mapping[str, object] | bytes, asked: Callable[[Transaction], bool], by: str
) -> Call[Transaction | None]:
    return _call(purpose, body, partial(readers.read_transaction_of, asked=asked, by=by))


def _list_call(purpose: str, keys: list[str], read: Callable[[Response], T]) -> Call[T]:
    if not 1 <= len(keys) <= LIST_SIZE:
        raise InvalidRequest(f"a list has 1 to {LIST_SIZE} keys, not {len(keys)}")
    return _call(purpose, keys, read)  # the body is the array itself, because the API takes no object here


def _call(
    purpose: str,
    body: Mapping[str, object] | Sequence[str] | bytes,
    read: Callable[[Response], T],
    *,
    bearer: BearerUse = "required",
    repeatable: bool = True,
) -> Call[T]:
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(path=f"/v1/{purpose}", body=written, bearer=bearer)
    return Call(purpose=purpose, request=request, read=read, cost=0 if bearer == "never" else 1, repeatable=repeatable)
