"""Registration, mailed codes, tokens and their renewal."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bakong_khqr.testing import BakongSimulator, SimulatorResponse

Check = Callable[..., tuple[int, int | None, Any]]
Ask = Callable[..., SimulatorResponse]

MD5 = {"md5": "0" * 32}
NOON_SECONDS = 1795435200
REGISTRATION = {"email": "dev@example.test", "organization": "Example Co", "project": "Shop"}


def part(token: Any, index: Any) -> Any:
    text = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def renew(ask: Ask, email: str = "simulator@example.test") -> Any:
    return ask("renew_token", {"email": email}, token=None)


def test_a_mailed_code_becomes_a_token_that_is_taken(bakong: BakongSimulator, ask: Ask, check: Check) -> None:
    answer = ask("request_token", REGISTRATION, token=None).json()
    assert (answer["responseMessage"], answer["data"]) == ("Email has been sent", None)
    [mail] = bakong.tokens.outbox
    assert (mail.email, len(mail.code)) == ("dev@example.test", 20)
    answer = ask("verify", {"code": mail.code}, token=None).json()
    assert answer["responseMessage"] == "Token has been issued"
    assert check("check_transaction_by_md5", MD5, token=answer["data"]["token"])[0] == 200


def test_a_code_works_once_and_a_wrong_one_never(bakong: BakongSimulator, check: Check, ask: Ask) -> None:
    ask("request_token", REGISTRATION)
    [mail] = bakong.tokens.outbox
    assert check("verify", {"code": "A" * 20})[:2] == (401, 6)
    assert check("verify", {"code": mail.code})[:2] == (200, None)
    assert check("verify", {"code": mail.code})[:2] == (401, 6)


def test_a_registered_email_can_t_register_again(bakong: BakongSimulator, check: Check, ask: Ask) -> None:
    ask("request_token", REGISTRATION)
    ask("verify", {"code": bakong.tokens.outbox[0].code})
    assert check("request_token", REGISTRATION)[:2] == (200, 8)


def test_a_renewal_answers_with_a_token_like_bakong_s(bakong: BakongSimulator, ask: Ask) -> None:
    answer = renew(ask).json()
    assert answer["responseMessage"] == "Token has been issued"
    token = answer["data"]["token"]
    assert part(token, 0) == {"alg": "HS256", "typ": "JWT"}
    claims = part(token, 1)
    assert list(claims) == ["data", "iat", "exp"]
    assert len(claims["data"]["id"]) == 16
    assert (claims["iat"], claims["exp"]) == (NOON_SECONDS, NOON_SECONDS + 7_776_000)


def test_a_token_s_life_can_be_93_days(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.configure(token_lifetime_days=93)
    claims = part(renew(ask).json()["data"]["token"], 1)
    assert claims["exp"] - claims["iat"] == 8_035_200


def test_an_unknown_email_is_http_200_with_error_code_10(ask: Ask) -> None:
    answer = renew(ask, "nobody@example.test")
    assert (answer.status, answer.json()) == (
        200,
        {"responseCode": 1, "responseMessage": "Not registered yet", "errorCode": 10, "data": None},
    )


def test_a_token_ends_with_its_life(bakong: BakongSimulator, check: Check) -> None:
    token = bakong.issue_token(lifetime=timedelta(minutes=1))
    bakong.advance(timedelta(seconds=59))
    assert check("check_transaction_by_md5", MD5, token=token)[0] == 200
    bakong.advance(timedelta(seconds=1))
    assert check("check_transaction_by_md5", MD5, token=token)[:2] == (401, 6)


@pytest.mark.parametrize(("revokes", "status"), [(False, 200), (True, 401)])
def test_whether_a_renewal_ends_the_tokens_before_it(
    bakong: BakongSimulator,
    ask: Ask,
    check: Check,
    revokes: Any,
    status: int,
) -> None:
    bakong.configure(revoke_on_renew=revokes)
    of_another = bakong.issue_token("other@example.test")
    fresh = renew(ask).json()["data"]["token"]
    assert check("check_transaction_by_md5", MD5)[0] == status
    assert check("check_transaction_by_md5", MD5, token=fresh)[0] == 200
    assert check("check_transaction_by_md5", MD5, token=of_another)[0] == 200


def test_every_renewal_of_one_second_hands_out_another_token(bakong: BakongSimulator, ask: Ask) -> None:
    tokens = {renew(ask).json()["data"]["token"] for _ in range(5)}
    assert len(tokens) == 5


def test_a_token_can_be_ended_by_hand(bakong: BakongSimulator, check: Check) -> None:
    token = bakong.issue_token()
    bakong.tokens.revoke(token)
    assert check("check_transaction_by_md5", MD5, token=token)[0] == 401


def test_a_token_of_one_s_own(payload: str) -> None:
    bakong = BakongSimulator(token="of-my-own", email="me@example.test")
    assert bakong.tokens.find("of-my-own") is not None
    assert bakong.tokens.find("simulator") is None
    assert bakong.tokens.is_registered("me@example.test")


@pytest.mark.parametrize("token", ["", " x", "x\n", "ñ"])
def test_a_token_that_no_header_can_carry_is_refused_without_being_shown(token: Any) -> None:
    with pytest.raises(ValueError, match=r"^token: must be printable ASCII without spaces around it$"):
        BakongSimulator(token=token)


def test_an_email_over_30_characters_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^email: it has 31 characters"):
        BakongSimulator(email="a" * 31)


def test_codes_stay_out_of_a_mail_s_repr(bakong: BakongSimulator, ask: Ask) -> None:
    ask("request_token", REGISTRATION)
    [mail] = bakong.tokens.outbox
    assert mail.code not in repr(mail)
