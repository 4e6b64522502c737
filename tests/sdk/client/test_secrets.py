# ruff: noqa: E501 - lists of answers
"""Secrets planted in tokens, emails, codes and answers come out nowhere: no log, message, repr or traceback."""

import gc
import logging
import traceback
from datetime import timedelta
from typing import Any

import httpx
import pytest

from bakong_khqr import errors
from bakong_khqr.api.token import Token
from bakong_khqr.retry import RetryPolicy

MD5 = "0" * 32
PLANTED = "PLANTED"
TOKEN, EMAIL, CODE = f"{PLANTED}-token", f"{PLANTED}@mail.test", f"{PLANTED}-code-1234567"
PLANTED_DATA = {
    "hash": f"{PLANTED}-hash", "fromAccountId": f"{PLANTED}@payer", "toAccountId": "sokha@aclb", "currency": "USD", "amount": 2.5,
    "description": f"{PLANTED} text", "receiverBankAccount": f"{PLANTED}-account",
}  # fmt: skip

ANSWERS: list[Any] = [
    *(httpx.Response(status, text=f"<html>{PLANTED}</html>", headers={"X-Echo": PLANTED})
      for status in (200, 400, 401, 403, 404, 429, 500, 503)),
    *(
        httpx.Response(200, json={"responseCode": 1, "responseMessage": PLANTED, "errorCode": code, "data": PLANTED_DATA})
        for code in (*range(1, 19), 42, None, PLANTED)
    ),
    httpx.Response(200, json={"responseCode": PLANTED, "errorCode": 1}),
    httpx.Response(200, json={"responseCode": 0, "responseMessage": PLANTED, "data": PLANTED_DATA | {"amount": PLANTED}}),
    httpx.Response(200, json={"responseCode": 0, "data": PLANTED_DATA | {"currency": PLANTED}}),
    httpx.Response(200, json={"responseCode": 0, "data": {"token": f"{PLANTED} issued"}}),
    httpx.Response(200, json={"responseCode": 0, "data": {"token": f"{PLANTED}-issued"}}),
    httpx.Response(200, json={"responseCode": 0, "data": {"shortLink": PLANTED}}),
    httpx.Response(200, json={"responseCode": 0, "data": [{"md5": MD5, "status": PLANTED}]}),
    httpx.Response(200, json={"responseCode": 0, "data": [{"md5": MD5, "status": "SUCCESS", "data": {"x": PLANTED}}]}),
    httpx.Response(200, text=PLANTED),
    httpx.ConnectError("no address"),
    httpx.ReadTimeout("slow"),
]  # fmt: skip
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("transaction_by_md5", (MD5,), {}),
    ("transactions_by_md5", ([MD5],), {"fallback": "singles"}),
    ("check_account", ("sokha@demo",), {}),
    ("generate_deeplink", ("KHQR",), {}),
    ("renew_token", (EMAIL,), {}),
    ("verify_code", (CODE,), {}),
    ("request_token", (EMAIL,), {"organization": "Example Co", "project": "Shop"}),
    ("wait_for_payment", ("KHQR",), {"grace": timedelta(0)}),
]


@pytest.mark.uncounted
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_what_is_secret_comes_out_nowhere(
    client_for: Any, scripted: Any, khqr: Any, caplog: pytest.LogCaptureFixture, call: Any
) -> None:
    method, arguments, options = call
    arguments = tuple(khqr if argument == "KHQR" else argument for argument in arguments)
    shown: list[str] = []
    raised = 0
    for with_email in (False, True):
        for answer in ANSWERS:
            bakong = scripted(answer)
            client = client_for(bakong, TOKEN, email=EMAIL if with_email else None, retry=RetryPolicy(attempts=2))
            with caplog.at_level(logging.DEBUG):
                try:
                    outcome = getattr(client, method)(*arguments, **options)
                except errors.BakongError as error:
                    raised += 1
                    shown += [str(error), repr(error), *traceback.format_exception(error)]
                    shown += [
                        repr(value)
                        for name, value in vars(error).items()
                        if name not in {"body", "transaction", "differences"}
                    ]
                    outcome = getattr(error, "transaction", None)
            shown.append(repr(client))
            if outcome is not None and method in {"renew_token", "verify_code"}:
                shown.append(repr(outcome))
            elif isinstance(outcome, dict):
                shown += [
                    str(value) + repr(value) for value in outcome.values() if isinstance(value, errors.BakongError)
                ]
    shown += [
        caplog.text,
        *(str(record.__dict__) for record in caplog.records if record.name.startswith("bakong_khqr")),
    ]
    assert raised > 10
    assert caplog.records
    assert [text for text in shown if PLANTED in text] == []


def test_the_payer_is_in_no_repr_of_a_transaction(client_for: Any, scripted: Any) -> None:
    personal = {"fromAccountId": "PLANTED@payer", "description": "PLANTED", "receiverBankAccount": "PLANTED"}
    client = client_for(scripted(scripted.answered(200, 0, None, scripted.TRANSACTION | personal)))
    transaction = client.transaction_by_md5(MD5)
    assert transaction.from_account_id == "PLANTED@payer"
    assert "PLANTED" not in repr(transaction)


@pytest.mark.parametrize("refused", [b"PLANTED", None, "", "PLANTED text", "PLANTED\x1b"])
def test_a_token_that_was_refused_can_be_shown_and_shows_nothing(refused: Any) -> None:
    """A debugger, or a handler of exceptions that shows local variables, asks for the repr of the half-made object."""
    half_made = Token.__new__(Token)
    with pytest.raises((TypeError, errors.InvalidRequest)):
        half_made.__init__(refused)  # type: ignore[misc]
    assert repr(half_made) == "<Token, not shown, expires_at=unknown>"


def test_no_object_that_a_call_leaves_behind_shows_the_token(client_for: Any, scripted: Any) -> None:
    """What a debugger or an error reporter would print: the repr of everything of ours and of httpx that is alive."""
    client = client_for(scripted(scripted.UNAUTHORIZED), TOKEN, email=EMAIL)
    with pytest.raises(errors.Unauthorized):
        client.transaction_by_md5(MD5)
    alive = [
        each for each in gc.get_objects() if str(type(each).__module__).partition(".")[0] in {"bakong_khqr", "httpx"}
    ]
    assert len(alive) > 10
    shown = [(type(each), repr(each)) for each in alive]
    assert not [kind for kind, text in shown if TOKEN in text or EMAIL in text]
