"""Token care: read, warned of, renewed once and by one, and never shown."""

import asyncio
import base64
import copy
import json
import logging
import pickle
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bakong_khqr import errors
from bakong_khqr.api import Token
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.client import BakongClient

MD5 = "0" * 32
EMAIL = "dev@example.test"
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def jwt(**claims: Any) -> str:
    """A token with these claims and a signature that nobody checks."""
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "sig"]
    )


def expiring(at: datetime) -> str:
    return jwt(data={"id": "00aa11bb22cc33dd"}, iat=int(at.timestamp()) - 7_776_000, exp=int(at.timestamp()))


class Office:
    """A Bakong that takes one token only, and issues the next on renewal."""

    def __init__(self, good: str | None = None, *, renewable: bool = True) -> None:
        self.good, self.renewable, self.renewals, self.checks = good, renewable, 0, 0
        self._lock = threading.Lock()

    def answer(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            if request.url.path == "/v1/renew_token":
                assert "Authorization" not in request.headers
                self.renewals += 1
                if not self.renewable:
                    return httpx.Response(200, json={"responseCode": 1, "errorCode": 10})
                self.good = f"issued-{self.renewals}"
                return httpx.Response(200, json={"responseCode": 0, "data": {"token": self.good}})
            self.checks += 1
            if request.headers.get("Authorization") != f"Bearer {self.good}":
                return httpx.Response(401, json={"responseCode": 1, "errorCode": 6})
            return httpx.Response(200, json={"responseCode": 1, "errorCode": 1})

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)


class TestReading:
    def test_dates_and_id_come_from_the_claims(self) -> None:
        token = Token(expiring(NOW))
        assert (token.expires_at, token.issued_at) == (NOW, NOW - timedelta(days=90))
        assert token.id == "00aa11bb22cc33dd"

    @pytest.mark.parametrize(
        "text",
        [
            "simulator", "rbk-a-relays-token", "a.b.c", "..", "x.e.y", jwt(exp="soon"), jwt(exp=True), jwt(exp=1.5),
            jwt(exp=10**30), jwt(exp=None), jwt(data=[]), f"x.{base64.b64encode(b'[' * 2000).decode()}.y",
            f"x.{base64.b64encode(b'9' * 3000).decode()}.y",
        ],
    )  # fmt: skip
    def test_one_that_says_nothing_is_used_as_it_is(self, text: str) -> None:
        token = Token(text)
        assert token.reveal() == text
        assert token.expires_at is None
        assert token.days_left(NOW) is None

    def test_white_space_from_a_mail_is_dropped(self) -> None:
        assert Token("  a-token\r\n").reveal() == "a-token"

    @pytest.mark.parametrize("text", ["", " ", "two words", "line\nbreak", "tab\there", "ខ្មែរ", "nul\0", "x" * 4097])
    def test_one_that_no_header_can_hold_is_refused_unseen(self, text: str) -> None:
        with pytest.raises(errors.InvalidRequest, match=r"^token: must be") as caught:
            Token(text)
        assert not text.strip() or text.strip() not in str(caught.value)

    def test_a_wrong_type_is_a_type_error(self) -> None:
        with pytest.raises(TypeError, match="token: must be text, not bytes"):
            Token(b"token")  # type: ignore[arg-type]  # the point of the test

    @pytest.mark.parametrize(("left", "days"), [(90, 90), (1, 1), (0.5, 0), (0, 0), (-0.5, -1), (-3, -3)])
    def test_days_left_are_whole_and_rounded_down(self, left: float, days: int) -> None:
        assert Token(expiring(NOW + timedelta(days=left))).days_left(NOW) == days


class TestHiding:
    def test_nothing_but_reveal_shows_it(self) -> None:
        token = Token("planted-secret")
        shown = [repr(token), str(token), f"{token}", f"{token!r:>60}", repr([token]), "%s" % token]  # noqa: UP031 - logging's way
        shown += [repr(getattr(token, name)) for name in dir(token) if not callable(getattr(token, name))]
        shown += [repr(getattr(token, name)) for name in token.__slots__]
        assert not [text for text in shown if "planted" in text]

    @pytest.mark.parametrize("write_out", [pickle.dumps, copy.copy, copy.deepcopy])
    def test_it_is_not_written_out(self, write_out: Any) -> None:
        with pytest.raises(TypeError, match="can't be pickled"):
            write_out(Token("planted-secret"))

    def test_equal_by_text_and_to_no_plain_text(self) -> None:
        assert Token("a") == Token(" a ")
        assert Token("a") != Token("b")
        assert Token("a") != "a"
        assert len({Token("a"), Token("a")}) == 1

    @pytest.mark.parametrize("kind", [BakongClient, AsyncBakongClient])
    def test_no_attribute_of_a_client_shows_token_or_email(self, kind: Any) -> None:
        client = kind("planted-secret", email="planted@example.test")

        def walk(value: object, depth: int) -> None:
            assert "planted" not in repr(value)
            if depth:
                for attribute in getattr(value, "__dict__", {}).values():
                    walk(attribute, depth - 1)
                for name in getattr(type(value), "__slots__", ()):
                    walk(getattr(value, name, None), depth - 1)

        assert not [name for name, value in vars(client).items() if "planted" in repr(value)]
        walk(client._sender, 4)
        assert "planted" not in repr(client._renewal)


class TestRenewal:
    def test_with_an_email_a_refused_token_is_renewed_and_the_call_sent_again(self, client_for: Any) -> None:
        office = Office()
        told: list[Token] = []
        client = client_for(office, "old", email=EMAIL, on_token=told.append)
        assert client.transaction_by_md5(MD5) is None
        assert (office.renewals, office.checks) == (1, 2)
        assert [token.reveal() for token in told] == ["issued-1"]
        assert client.token.reveal() == "issued-1"

    def test_without_an_email_a_refused_token_is_an_error(self, client_for: Any) -> None:
        office = Office()
        with pytest.raises(errors.Unauthorized):
            client_for(office, "old").transaction_by_md5(MD5)
        assert (office.renewals, office.checks) == (0, 1)

    def test_without_a_token_but_with_an_email_one_is_issued(self, client_for: Any) -> None:
        office = Office()
        assert client_for(office, None, email=EMAIL).transaction_by_md5(MD5) is None
        assert (office.renewals, office.checks) == (1, 1)

    def test_without_either_nothing_is_sent(self, client_for: Any) -> None:
        office = Office()
        with pytest.raises(errors.Unauthorized, match="needs a token"):
            client_for(office, None).transaction_by_md5(MD5)
        assert office.checks == 0

    def test_one_call_renews_once_at_most(self, client_for: Any) -> None:
        """The new token is refused too: of another environment, say."""
        office = Office()

        def refuse(request: httpx.Request) -> httpx.Response:
            return office.answer(request) if "renew" in request.url.path else httpx.Response(401)

        client = client_for(httpx.MockTransport(refuse), "old", email=EMAIL)
        with pytest.raises(errors.Unauthorized):
            client.transaction_by_md5(MD5)
        assert office.renewals == 1

    def test_within_a_minute_no_second_renewal_is_tried(self, client_for: Any, clock: Any) -> None:
        office = Office(renewable=False)
        client = client_for(office, "old", email=EMAIL)
        for _ in range(5):
            with pytest.raises(errors.NotRegistered):
                client.transaction_by_md5(MD5)
        assert office.renewals == 1
        clock.now += timedelta(minutes=1)
        with pytest.raises(errors.NotRegistered):
            client.transaction_by_md5(MD5)
        assert office.renewals == 2

    @pytest.mark.parametrize("status", [403, 429, 500])
    def test_nothing_but_a_refused_token_renews(self, client_for: Any, scripted: Any, status: int) -> None:
        bakong = scripted(httpx.Response(status))
        with pytest.raises(errors.BakongError):
            client_for(bakong, email=EMAIL).transaction_by_md5(MD5)
        assert "renew_token" not in bakong.paths

    def test_many_threads_make_one_renewal(self) -> None:
        office = Office()
        told: list[Token] = []
        with httpx.Client(transport=office.transport()) as http:
            client = BakongClient("old", email=EMAIL, http_client=http, on_token=told.append)
            failures: list[BaseException] = []
            start = threading.Barrier(20)

            def check() -> None:
                start.wait()
                try:
                    client.transaction_by_md5(MD5)
                except BaseException as error:  # noqa: BLE001 - shown by the test
                    failures.append(error)

            threads = [threading.Thread(target=check) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert not failures
        assert office.renewals == len(told) == 1

    @pytest.mark.anyio
    async def test_many_tasks_make_one_renewal(self) -> None:
        office = Office()
        told: list[Token] = []

        async def store(token: Token) -> None:
            await asyncio.sleep(0)
            told.append(token)

        async with httpx.AsyncClient(transport=office.transport()) as http:
            client = AsyncBakongClient("old", email=EMAIL, http_client=http, on_token=store)
            await asyncio.gather(*(client.transaction_by_md5(MD5) for _ in range(50)))
        assert office.renewals == len(told) == 1

    def test_an_interrupted_renewal_is_tried_again_at_once(self, client_for: Any) -> None:
        """Ctrl-C, or a task that is cancelled: no word of Bakong's on the token."""
        office, interrupts = Office(), [KeyboardInterrupt()]

        def answer(request: httpx.Request) -> httpx.Response:
            if "renew" in request.url.path and interrupts:
                raise interrupts.pop()
            return office.answer(request)

        client = client_for(httpx.MockTransport(answer), "old", email=EMAIL)
        with pytest.raises(KeyboardInterrupt):
            client.transaction_by_md5(MD5)
        assert client.transaction_by_md5(MD5) is None
        assert office.renewals == 1

    @pytest.mark.anyio
    async def test_a_cancelled_renewal_fails_none_of_those_who_wait_for_it(self) -> None:
        office, renewing = Office(), asyncio.Event()

        async def answer(request: httpx.Request) -> httpx.Response:
            if "renew" in request.url.path and not renewing.is_set():
                renewing.set()
                await asyncio.Event().wait()
            return office.answer(request)

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            client = AsyncBakongClient("old", email=EMAIL, http_client=http)
            first, *others = [asyncio.create_task(client.transaction_by_md5(MD5)) for _ in range(5)]
            await renewing.wait()
            first.cancel()
            assert await asyncio.wait_for(asyncio.gather(*others), 10) == [None] * 4
        assert first.cancelled()
        assert office.renewals == 1

    def test_on_token_may_make_calls_that_renew_again_and_hears_of_the_tokens_in_order(self) -> None:
        """In a thread, so that a deadlock fails the test and doesn't hang it."""
        office = Office()
        told: list[str] = []

        def store(token: Token) -> None:
            if not told:
                office.good = "refuses the first one too"
                client.renew_token()
                assert client.transaction_by_md5(MD5) is None
            told.append(token.reveal())

        with httpx.Client(transport=office.transport()) as http:
            client = BakongClient("old", email=EMAIL, http_client=http, on_token=store)
            thread = threading.Thread(target=client.transaction_by_md5, args=(MD5,), daemon=True)
            thread.start()
            thread.join(10)
            assert not thread.is_alive()
        assert told == ["issued-1", "issued-2"]

    @pytest.mark.anyio
    async def test_on_token_may_await_calls_that_renew_again_and_hears_of_the_tokens_in_order(self) -> None:
        office = Office()
        told: list[str] = []

        async def store(token: Token) -> None:
            if not told:
                office.good = "refuses the first one too"
                await client.renew_token()
                assert await client.transaction_by_md5(MD5) is None
            told.append(token.reveal())

        async with httpx.AsyncClient(transport=office.transport()) as http:
            client = AsyncBakongClient("old", email=EMAIL, http_client=http, on_token=store)
            await asyncio.wait_for(client.transaction_by_md5(MD5), 10)
        assert told == ["issued-1", "issued-2"]

    def test_what_on_token_raises_reaches_the_caller_and_the_token_is_in_use(self, client_for: Any) -> None:
        office, full = Office(), [OSError("disk full")]

        def store(_: Token) -> None:
            if full:
                raise full.pop()

        client = client_for(office, "old", email=EMAIL, on_token=store)
        with pytest.raises(OSError, match="disk full"):
            client.transaction_by_md5(MD5)
        assert client.token.reveal() == "issued-1"
        assert client.renew_token().reveal() == "issued-2", "the next one is told again"

    def test_renewing_by_hand_takes_the_new_token_into_use(self, client_for: Any) -> None:
        office = Office()
        client = client_for(office, "old")
        assert client.renew_token(EMAIL).reveal() == "issued-1"
        assert client.transaction_by_md5(MD5) is None

    def test_renewing_by_hand_needs_an_email(self, client_for: Any) -> None:
        with pytest.raises(errors.InvalidRequest, match="email"):
            client_for(Office()).renew_token()


class TestWarnings:
    def test_the_owner_is_told_once_at_each_of_14_7_3_and_1_days_and_at_the_end(
        self, client_for: Any, scripted: Any, clock: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = client_for(scripted(scripted.NOT_FOUND), expiring(NOW + timedelta(days=20)))
        told: dict[int, str] = {}
        for day in range(23):
            for _ in range(3):
                with caplog.at_level(logging.WARNING, "bakong_khqr"):
                    client.transaction_by_md5(MD5)
                for record in caplog.records:
                    assert day not in told
                    told[day] = record.getMessage()
                caplog.clear()
            clock.now += timedelta(days=1, seconds=1)
        assert {day: text.partition(",")[0] for day, text in told.items()} == {
            6: "the Bakong token expires in less than 14 days",
            13: "the Bakong token expires in less than 7 days",
            17: "the Bakong token expires in less than 3 days",
            19: "the Bakong token expires in less than 1 day",
            20: "the Bakong token expired at 2026-12-13T10:00+00:00: renew it",
        }

    def test_a_token_without_dates_is_no_reason_to_warn(
        self, client_for: Any, scripted: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        client_for(scripted(scripted.NOT_FOUND)).transaction_by_md5(MD5)
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
