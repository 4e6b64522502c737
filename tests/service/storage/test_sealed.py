"""What is secret is sealed: no column of the database shows it, and a sealed field opens in its place alone."""

import json
from collections.abc import Iterator
from time import process_time
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from bakong_service.domain.endpoint import NewEndpoint
from bakong_service.operations import keys
from bakong_service.operations.keys import NewKey
from bakong_service.operations.webhooks import endpoints
from bakong_service.storage import idempotency
from bakong_service.storage.checks.sealed import FIELDS
from bakong_service.storage.idempotency import Claim
from bakong_service.storage.schema import metadata
from bakong_service.vault import Unopenable, Vault
from kit.scene import Scene
from kit.there import there

pytestmark = pytest.mark.anyio

VAULT = Vault({"2026": b"n" * 32, "2025": b"o" * 32}, b"pepper")
NONCE, TAG = 12, 16
places = st.text(min_size=1, max_size=40)


@given(text=st.text(max_size=200), place=places, other=places)
def test_a_sealed_field_shows_nothing_and_opens_in_its_place_alone(text: str, place: str, other: str) -> None:
    assume(place != other)
    sealed = VAULT.seal(text, place)
    assert VAULT.open(sealed, place) == text
    assert len(sealed) == 2 + len("2026") + NONCE + len(text.encode()) + TAG
    assert len(text.encode()) < 4 or text.encode() not in sealed
    assert VAULT.seal(text, place) != sealed  # equal values can't be told by their looks
    with pytest.raises(Unopenable, match="altered, moved, or another key"):
        VAULT.open(sealed, other)


@given(text=st.text(max_size=50), bit=st.integers(0, 10**6))
def test_a_field_with_one_bit_changed_does_not_open(text: str, bit: int) -> None:
    sealed = bytearray(VAULT.seal(text, "a.b.c"))
    sealed[bit // 8 % len(sealed)] ^= 1 << bit % 8
    with pytest.raises(Unopenable):
        VAULT.open(bytes(sealed), "a.b.c")


@given(text=st.text(max_size=50))
def test_a_field_that_an_older_key_sealed_opens_and_another_ring_opens_nothing(text: str) -> None:
    old = Vault({"2025": b"o" * 32}, b"pepper").seal(text, "a.b.c")
    assert VAULT.open(old, "a.b.c") == text
    for ring in ({"2026": b"n" * 32}, {"2025": b"x" * 32}):
        with pytest.raises(Unopenable):
            Vault(ring, b"pepper").open(old, "a.b.c")


@given(blob=st.binary(max_size=60))
def test_bytes_that_are_no_sealed_field_are_told_as_such(blob: bytes) -> None:
    with pytest.raises(Unopenable):
        VAULT.open(blob, "a.b.c")


def test_a_field_costs_microseconds() -> None:
    """A key that is derived anew for each field, slowly as from a password, would take 50 seconds here."""
    started = process_time()
    for number in range(1000):
        VAULT.open(VAULT.seal("sokha@aclb", f"a.b.{number}"), f"a.b.{number}")
    assert process_time() - started < 1.0


PAYER = "chenda.meas@wing"
ODD = "<html>a page of a stranger between us and Bakong</html>"
OLD_TOKEN = "a-token-that-came-with-the-settings-7d1f"
STORED = '{"client_token": "an answer that is kept for a retry"}'
SECRET = "whsec_c2VjcmV0LW9mLWFuLWVuZHBvaW50LTAxMjM0NTY3ODk="


@pytest.fixture
async def secrets(scene: Scene) -> list[str]:
    """A shop at work. Return everything that it was given or made and that its database must not show."""
    till = scene.till
    scene.restart(token=OLD_TOKEN, email="simulator@example.test")
    paid, unreadable = await till.create(), await till.create()
    scene.pay(paid, from_account_id=PAYER)
    await scene.live(minutes=2)
    scene.bakong.reset()
    scene.bakong.configure(md5_list_closed=True)
    answer: dict[str, Any] = {"status": 200, "content_type": "application/json", "body": odd()}
    scene.bakong.inject("answer", endpoint="check_transaction_by_md5", times=None, **answer)
    scene.restart()
    await scene.live(minutes=3)
    await till.do(endpoints.create, NewEndpoint(url="https://shop.example/hooks", secret=SECRET))
    key = await till.do(keys.create, NewKey(name="till", scopes=frozenset({"metrics"}), is_test=True))

    def keep(connection: Connection) -> None:
        claim = Claim("main", "POST /v1/payments", "k1")
        idempotency.claim(connection, claim, fingerprint="f", expires_at=till.now, now=till.now)
        idempotency.keep(connection, claim, status=201, body=till.business.vault.seal(STORED, claim.place))

    await till.run(keep)
    token = scene.watcher.provider._tokens.client.token
    assert (await till.payment(paid)).status == "paid"
    assert await scene.reviews(unreadable) == ["unreadable"]
    return [
        PAYER, ODD, STORED, "an answer that is kept", OLD_TOKEN, there(token).reveal(), SECRET,
        SECRET.removeprefix("whsec_"), there(key.key), there(key.key)[-51:-8],
        *(till.qr(payment) for payment in (paid, unreadable)),
    ]  # fmt: skip


def odd() -> str:
    """An answer that says "success" and can't be read, so that a person has to look at it."""
    data = {"hash": "0" * 64, "amount": "?", "description": ODD}
    return json.dumps({"responseCode": 0, "responseMessage": "ok", "errorCode": None, "data": data})


def written(connection: Connection) -> Iterator[str]:
    """Every value of every column as text, bytes too."""
    for table in metadata.sorted_tables:
        for row in connection.execute(select(table)):
            for value in row:
                yield value.decode("latin-1") if isinstance(value, bytes) else str(value)


async def test_no_column_of_the_database_shows_anything_secret(scene: Scene, secrets: list[str]) -> None:
    vault, kept = scene.till.business.vault, ""
    for field in FIELDS:
        page = await scene.till.read(lambda c, field=field: field.page(c, after=None, limit=100))  # type: ignore[misc]
        kept += "".join(vault.open(each.value, each.place) for each in page)
    # It is all there, sealed; of an API key there is only a hash, and the first token was replaced.
    assert {secret for secret in secrets if secret not in kept} == {OLD_TOKEN, *secrets[-4:-2]}
    values = await scene.till.read(lambda connection: list(written(connection)))
    assert [secret for secret in secrets if any(secret in value for value in values)] == []
