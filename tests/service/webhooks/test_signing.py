"""Signatures of Standard Webhooks, held against its public library, which shares no line with ours."""

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from bakong_service.webhooks import InvalidSignature, sign, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another key of thirty-two bytes!").decode()
BODY = b'{"id":"evt_1"}'


def now() -> datetime:
    return datetime.now(UTC)  # the public library knows no other clock


def test_the_example_of_the_specification() -> None:
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Signature scheme"
    body = b'{"test": 2432232314}'
    headers = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", body, [SECRET], at=datetime.fromtimestamp(1614265330, UTC))
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(
    st.binary(min_size=24, max_size=64),
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers()),
)
def test_the_public_library_verifies_what_we_sign_and_we_what_it_signs(key: bytes, event: dict[str, int]) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    body = json.dumps(event, ensure_ascii=False).encode()
    assert Webhook(secret).verify(body, sign("evt_1", body, [secret], at=now())) == event
    theirs = {
        "webhook-id": "evt_2",
        "webhook-timestamp": str(int(now().timestamp())),
        "webhook-signature": Webhook(secret).sign("evt_2", now(), body.decode()),
    }
    assert verify(body, theirs, secret) == event


def test_a_text_of_32_characters_is_a_secret_and_its_base64_is_the_public_librarys() -> None:
    text = "a text that nobody guesses, long!"
    headers = sign("evt_1", BODY, [text], at=now())
    assert verify(BODY, headers, text) == {"id": "evt_1"}
    assert Webhook(base64.b64encode(text.encode()).decode()).verify(BODY, headers) == {"id": "evt_1"}


@pytest.mark.parametrize("known", [SECRET, OTHER, [OTHER, SECRET], ["whsec_" + "A" * 32, OTHER]])
def test_during_a_rotation_either_secret_verifies(known: str | list[str]) -> None:
    assert verify(BODY, sign("evt_1", BODY, [SECRET, OTHER], at=now()), known) == {"id": "evt_1"}


def test_both_secrets_satisfy_the_public_library_during_a_rotation() -> None:
    headers = sign("evt_1", BODY, [SECRET, OTHER], at=now())
    assert Webhook(SECRET).verify(BODY, headers) == Webhook(OTHER).verify(BODY, headers)


@pytest.mark.parametrize("flipped", range(0, len(BODY) * 8, 7))
def test_one_changed_bit_of_the_body_is_refused(flipped: int) -> None:
    headers = sign("evt_1", BODY, [SECRET], at=now())
    body = bytearray(BODY)
    body[flipped // 8] ^= 1 << flipped % 8
    with pytest.raises(InvalidSignature, match="no signature matches"):
        verify(bytes(body), headers, SECRET)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(bytes(body).decode("latin-1"), headers)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-id": "evt_2"}, "no signature matches"),
        ({"webhook-timestamp": "1"}, "s before now; at most 300 s"),
        ({"webhook-timestamp": "soon"}, "isn't a whole number of seconds"),
        ({"webhook-timestamp": "²"}, "isn't a whole number of seconds"),
        ({"webhook-signature": ""}, "no signature matches"),
        ({"webhook-signature": "v1"}, "no signature matches"),
        ({"webhook-signature": "v1,é"}, "no signature matches"),
        ({"webhook-signature": "v1a,AAAA v2,BBBB"}, "no signature matches"),
    ],
)
def test_what_isnt_ours_is_refused(change: dict[str, str], why: str) -> None:
    with pytest.raises(InvalidSignature, match=why):
        verify(BODY, sign("evt_1", BODY, [SECRET], at=now()) | change, SECRET)


@pytest.mark.parametrize("body", [b"", b"[]", b"evt_1", b"\xff"])
def test_what_is_signed_and_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidSignature, match="the body isn't"):
        verify(body, sign("evt_1", body, [SECRET], at=now()), SECRET)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(missing: str) -> None:
    headers = sign("evt_1", BODY, [SECRET], at=now())
    del headers[missing]
    with pytest.raises(InvalidSignature, match=missing):
        verify(BODY, headers, SECRET)


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_a_delivery_is_good_for_five_minutes_either_way(seconds: int, good: bool) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    headers = sign("evt_1", BODY, [SECRET], at=at)
    if good:
        assert verify(BODY, headers, SECRET, now=at + timedelta(seconds=seconds)) == {"id": "evt_1"}
    else:
        with pytest.raises(InvalidSignature, match="at most 300 s"):
            verify(BODY, headers, SECRET, now=at + timedelta(seconds=seconds))


def test_the_case_of_a_headers_name_doesnt_matter() -> None:
    headers = {name.title(): value for name, value in sign("evt_1", BODY, [SECRET], at=now()).items()}
    assert verify(BODY, headers, SECRET) == {"id": "evt_1"}


@pytest.mark.parametrize("secret", ["", "short", "x" * 31, "whsec_", "whsec_!!!", "whsec_" + "A" * 28])
def test_a_weak_or_broken_secret_is_named_as_such_and_never_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="a webhook secret") as caught:
        sign("evt_1", BODY, [secret], at=now())
    assert not secret or secret in ("short", "whsec_") or secret not in str(caught.value)


def test_a_receiver_imports_nothing_but_the_standard_library() -> None:
    script = (
        "import sys; before = set(sys.modules); from bakong_service import webhooks; webhooks.verify;"
        "print(*sorted({n.partition('.')[0] for n in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["bakong_service"]


def test_a_signed_body_that_is_nested_too_deeply_is_refused_by_name() -> None:
    body = b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}"
    now, secret = datetime.now(UTC), "a-secret-of-32-characters-or-more"
    with pytest.raises(InvalidSignature, match="nested deeper than 100 levels"):
        verify(body, sign("evt_1", body, [secret], at=now), secret, now=now)
