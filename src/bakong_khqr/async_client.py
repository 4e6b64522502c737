"""The asynchronous client of the Bakong Open API: `client.py` with the waiting awaited. Keep them alike."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx
from attrs import evolve

from bakong_khqr._kinds import aware_clock, checked_object
from bakong_khqr.api import Account, Call, DeepLink, Outcome, SourceInfo, Token, Transaction, endpoints
from bakong_khqr.api.arguments import checked_khqr
from bakong_khqr.api.connection import PRODUCTION, options_from_env, token_missing
from bakong_khqr.api.lists import SAME_FOR_ALL, SINGLES_AT_A_TIME, checked_keys, in_lists, unanswered
from bakong_khqr.calling._async_sending import AsyncSender
from bakong_khqr.calling.budget import AsyncRequestBudget, RequestBudget
from bakong_khqr.calling.polling import GRACE, GROWING, SPARING, PaymentWatch, PollingSchedule
from bakong_khqr.errors import BakongError, Blocked, InvalidRequest
from bakong_khqr.khqr import KHQR
from bakong_khqr.money import Currency
from bakong_khqr.retry import RetryPolicy

T = TypeVar("T")

log = logging.getLogger("bakong_khqr")


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _renewal(email: str) -> Callable[[], Call[Token]]:
    """Return a function that makes the renewal call. A stored call would show the email in a repr, so it is made when
    needed.
    """
    endpoints.renew_token(email)  # refuses a bad one now
    return lambda: endpoints.renew_token(email)


class AsyncBakongClient:
    """A client of the Bakong Open API for asyncio. The tasks of one event loop may share one.

    A process that is forked has connections and locks of its own, also when the client was made and used before.

    - `token`: the developer token. Without one (None) only calls that need none work, or with `email` one is issued.
    - `email`: the registered address. With it a refused token is renewed, at most once per call, and the call is sent
      again.
    - `base_url`: another environment (`bakong_khqr.api.connection.SIT`), or a forwarder of yours.
    - `timeout_seconds`: for each step of a call (a connection, a read); a whole answer must end within twice that.
    - `retry`: which failed calls are sent again, and after which pause; `RetryPolicy(attempts=1)` repeats none.
    - `http_client`: yours to configure and to close; without it one is made here, with `proxy` (a URL) if given. Yours
      stays in its process: a call in a forked one raises `InvalidRequest`.
    - `budget`: asked before each sending.
    - `on_token`: called with each new `Token` that is in use, to store it. It may make calls itself, and what it raises
      reaches the caller whose call renewed the token.
    - `clock` (aware now) and `sleep` (seconds): for tests.

    Every method raises a `BakongError` for what isn't a plain answer; see `bakong_khqr.errors`.
    """

    def __init__(
        self,
        token: Token | str | None,
        *,
        email: str | None = None,
        base_url: str = PRODUCTION,
        timeout_seconds: float = 30,
        retry: RetryPolicy | None = None,
        http_client: httpx.AsyncClient | None = None,
        proxy: str | None = None,
        budget: RequestBudget | AsyncRequestBudget | None = None,
        on_token: Callable[[Token], Awaitable[None] | None] | None = None,
        clock: Callable[[], datetime] = _utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._budget = budget
        self._clock = aware_clock("clock", clock)
        self._sleep = sleep
        self._renewal = None if email is None else _renewal(email)
        self._sender = AsyncSender(
            token=token,
            renewal=self._renewal,
            base_url=base_url,
            timeout_seconds=timeout_seconds,
            retry=RetryPolicy() if retry is None else retry,
            http_client=http_client,
            proxy=proxy,
            budget=budget,
            on_token=on_token,
            clock=self._clock,
            sleep=sleep,
        )

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Make a client from `BAKONG_TOKEN`, `BAKONG_EMAIL` and `BAKONG_BASE_URL`. An empty variable counts as unset.

        `options` are the constructor's, and win over the environment. Raises `Unauthorized` if there is neither a token
        nor an email to get one by; `token=None` makes a client for the calls that need none.
        """
        chosen = options_from_env(os.environ) | options
        if chosen["token"] is None and chosen["email"] is None and "token" not in options:
            raise token_missing("from_env")
        return cls(**chosen)

    @property
    def token(self) -> Token | None:
        """The token in use: the last one that was issued or renewed."""
        return self._sender.in_use.token

    async def aclose(self) -> None:
        """Close the connections. A `http_client` that was given stays open."""
        await self._sender.close()

    async def __aenter__(self) -> Self:
        self._sender.check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # ── The endpoints ────────────────────────────────────────────────────────────────────────────────────────────────

    async def request_token(self, email: str, *, organization: str, project: str) -> None:
        """Ask Bakong to mail a code, which `verify_code` takes. Today the documented way to register is the portal."""
        await self.send(endpoints.request_token(email, organization=organization, project=project))

    async def verify_code(self, code: str) -> Token:
        """Exchange the 20-character code from the mail for the first token, and use that token from now on."""
        return await self._sender.issue(endpoints.verify_code(code))

    async def renew_token(self, email: str | None = None) -> Token:
        """Get a new token for the registered `email` (by default the constructor's), and use it from now on.

        Whether Bakong then refuses the old one isn't known: store the new one. Raises `NotRegistered`.
        """
        renewal = self._renewal if email is None else _renewal(email)
        if renewal is None:
            raise InvalidRequest("email: give the registered address here or to the client")
        return await self._sender.issue(renewal())

    async def generate_deeplink(self, khqr: KHQR | str, *, source_info: SourceInfo | None = None) -> DeepLink:
        """Return a link that opens the payer's bank app with this code. `source_info` tells the bank app how to lead
        the payer back.
        """
        return await self.send(endpoints.generate_deeplink(khqr, source_info=source_info))

    async def check_account(self, account_id: str) -> Account | None:
        """Return what Bakong says of an account (`name@bank`); `None` if there is no such account."""
        return await self.send(endpoints.check_account(account_id))

    async def account_exists(self, account_id: str) -> bool:
        """Say whether there is such a Bakong account, by an endpoint that the official SDK uses and no document
        describes.
        """
        return await self.send(endpoints.account_exists(account_id))

    async def transaction_by_md5(self, md5: str) -> Transaction | None:
        """Return the payment of the dynamic code whose payload has this MD5; `None` while Bakong doesn't find it."""
        return await self.send(endpoints.transaction_by_md5(md5))

    async def transaction_by_hash(self, hash: str) -> Transaction | None:  # noqa: A002 - the API's name for it
        """Return the payment with this hash (64 hexadecimal digits); `None` while Bakong doesn't find it."""
        return await self.send(endpoints.transaction_by_hash(hash))

    async def transaction_by_short_hash(
        self, short_hash: str, *, amount: Decimal | int | str, currency: Currency | str | int
    ) -> Transaction | None:
        """Return the payment of this amount and currency whose hash begins with these 8 digits; `None` while it isn't
        found.
        """
        return await self.send(endpoints.transaction_by_short_hash(short_hash, amount=amount, currency=currency))

    async def transaction_by_instruction_ref(self, instruction_ref: str) -> Transaction | None:
        """Return the payment with this reference of the sending side's instruction; `None` while Bakong doesn't find
        it.
        """
        return await self.send(endpoints.transaction_by_instruction_ref(instruction_ref))

    async def transaction_by_external_ref(self, external_ref: str) -> Transaction | None:
        """Return the payment with this reference of the payer's bank, never your bill number; `None` while it isn't
        found.
        """
        return await self.send(endpoints.transaction_by_external_ref(external_ref))

    async def transactions_by_md5(
        self, md5s: Iterable[str], *, fallback: Literal["singles"] | None = None
    ) -> dict[str, Outcome]:
        """Return what Bakong says of each MD5: a `Transaction`, `None` for "not found yet", or an error. It asks for 50
        at a time.

        An error before anything was answered is raised; later ones are the outcome of each key they left unanswered.
        Bakong keeps this list closed in production and answers `Blocked`. With `fallback="singles"` the keys are then
        asked singly, four at a time, while the budget lasts; `Blocked` then says that single checks are refused too.
        """
        keys = checked_keys("md5s", md5s, fallback)
        try:
            outcomes = await self._by_lists(keys, endpoints.transactions_by_md5)
        except Blocked:
            if fallback is None:
                raise
            return await self._singly(keys)
        # A list may be closed after others were answered: only the keys of those are left.
        closed = [key for key, outcome in outcomes.items() if isinstance(outcome, Blocked)]
        if fallback is not None and closed:
            try:
                outcomes |= await self._singly(closed)
            except SAME_FOR_ALL as error:
                outcomes |= dict.fromkeys(closed, error)
        return outcomes

    async def transactions_by_hash(self, hashes: Iterable[str]) -> dict[str, Outcome]:
        """Return what Bakong says of each hash, 50 at a time, as `transactions_by_md5` does. This list is open in
        production.
        """
        return await self._by_lists(checked_keys("hashes", hashes), endpoints.transactions_by_hash)

    async def wait_for_payment(
        self,
        khqr: KHQR | str,
        *,
        schedule: PollingSchedule | None = None,
        grace: timedelta = GRACE,
        hint: asyncio.Event | None = None,
    ) -> Transaction:
        """Wait until this code is paid, and return the payment, which has its account, currency, amount and time.

        Asks by `schedule` (`GROWING`, or `SPARING` if the client has a budget) and a last time when the expiry and
        `grace` are over; without an expiry the code is taken to live for 10 minutes from now. Set `hint` when the payer
        may be done (the bank app returned, a button was pressed): Bakong is then asked at once.

        Outages are waited out, by the schedule instead of the retry policy. Raises `PaymentExpired` when the last check
        found nothing, `PaymentMismatch` for a payment that isn't the one asked for, `StaticQRNotSupported` for a static
        code, and the last `BakongError` when waiting can't help, or when the last check had no answer: call again to
        repeat that check.
        """
        if hint is not None:
            checked_object("hint", hint, "async", "wait", "clear")
        watch = PaymentWatch(
            checked_khqr(khqr),
            started_at=self._clock(),
            schedule=(GROWING if self._budget is None else SPARING) if schedule is None else schedule,
            grace=grace,
        )
        # The schedule is the retry: a look that fails is followed by the next one, and costs one call.
        look = evolve(endpoints.transaction_by_md5(watch.khqr.md5), repeatable=False)
        while True:
            await self._wait_until_due(watch, hint)
            asked_at = self._clock()
            try:
                answer = await self.send(look)
            except BakongError as error:
                watch.failed(error, asked_at=asked_at, now=self._clock())
                log.info("waiting on for a payment: %s", error)
                continue
            if (payment := watch.answered(answer, asked_at=asked_at)) is not None:
                return payment

    async def send(self, call: Call[T]) -> T:
        """Send any call of `bakong_khqr.api.endpoints`, under token, budget and retry policy, and read its answer."""
        return await self._sender.send(call)

    # ── Several keys, several checks ─────────────────────────────────────────────────────────────────────────────────

    async def _by_lists(
        self, keys: Sequence[str], endpoint: Callable[[Sequence[str]], Call[dict[str, Outcome]]]
    ) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        for call in in_lists(keys, endpoint):
            try:
                answers = await self.send(call)
            except BakongError as error:
                if not outcomes:
                    raise
                return unanswered(keys, outcomes, error)
            outcomes.update(answers)
        return outcomes

    async def _singly(self, keys: Sequence[str]) -> dict[str, Outcome]:
        log.warning(
            "Bakong keeps its list of MD5s closed: asking %d singly, %d at a time", len(keys), SINGLES_AT_A_TIME
        )
        first, *others = keys
        outcome = await self._outcome(first)
        if isinstance(outcome, SAME_FOR_ALL):
            raise outcome
        stopped: list[BakongError] = []

        async def ask(md5: str) -> Outcome:
            if stopped:
                return stopped[0]
            outcome = await self._outcome(md5)
            if isinstance(outcome, SAME_FOR_ALL):
                stopped.append(outcome)
            return outcome

        outcomes: dict[str, Outcome] = {first: outcome}
        pending = iter(others)

        async def work() -> None:
            for md5 in pending:
                outcomes[md5] = await ask(md5)

        async with asyncio.TaskGroup() as group:
            for _ in range(SINGLES_AT_A_TIME):
                group.create_task(work())
        return {key: outcomes[key] for key in keys}

    async def _outcome(self, md5: str) -> Outcome:
        try:
            return await self.transaction_by_md5(md5)
        except BakongError as error:
            return error

    async def _wait_until_due(self, watch: PaymentWatch, hint: asyncio.Event | None) -> None:
        while (seconds := watch.seconds_until_due(self._clock())) > 0:
            if hint is None:
                await self._sleep(seconds)
                continue
            try:
                async with asyncio.timeout(seconds):
                    await hint.wait()
            except TimeoutError:
                continue
            hint.clear()
            watch.hinted(self._clock())
