"""BakongSimulator: the Bakong Open API in memory.

It takes a `SimulatorRequest` and returns a `SimulatorResponse`, and never waits.
"""

import random
import threading
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from bakong_khqr._kinds import checked_callable, checked_duration
from bakong_khqr.money import Currency
from bakong_khqr.testing import control, gateway
from bakong_khqr.testing.accounts import AccountBook
from bakong_khqr.testing.clock import SimulatorClock, to_milliseconds
from bakong_khqr.testing.exchange import SimulatorRequest, SimulatorResponse
from bakong_khqr.testing.faults import Fault, FaultKind, FaultPlan
from bakong_khqr.testing.payer import HasPayload, ScannedCode, as_amount, as_currency, is_md5, scan
from bakong_khqr.testing.payments import PaymentLedger, SimulatedPayment
from bakong_khqr.testing.request_log import LoggedRequest, RequestLog
from bakong_khqr.testing.switches import Switches
from bakong_khqr.testing.tokens import TokenOffice

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from bakong_khqr.testing.transport import SimulatorTransport

DEFAULT_TOKEN: Final = "simulator"  # noqa: S105 - meant to be known
DEFAULT_EMAIL: Final = "simulator@example.test"
PAYER: Final = "demokhppxxx@demo"  # Bakong shows the alias of the payer's bank
_REMEMBERED_CODES: Final = 10_000


class BakongSimulator:
    """The Bakong Open API for tests and demos. Without switches, it makes no difficulties.

    `token` is accepted and never expires; a renewal by `email` issues other tokens. `clock` returns the time (aware),
    and `advance` moves it. `seed` makes hashes, links and tokens reproducible. Every other keyword is a switch of
    `Switches`, such as `daily_quota=100`: an unknown switch raises `TypeError`, and a wrong value `ValueError`.

    A simulator may be called from several threads. It remembers the last 1,000 calls and every payment.
    """

    def __init__(
        self,
        *,
        token: str = DEFAULT_TOKEN,
        email: str = DEFAULT_EMAIL,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seed: int | None = None,
        **switches: Any,
    ) -> None:
        self.token = token
        """The token that is accepted from the start."""
        self.email = email
        """The registered email, for `renew_token`."""
        self._time_source = checked_callable("clock", clock)
        self._seed = seed
        self._initial_switches = Switches(**switches)
        self._lock = threading.RLock()
        self.reset()

    @classmethod
    def like_production(cls, **options: Any) -> Self:
        """Return a simulator with the known limits of production: 100 calls a day and a closed MD5 list."""
        return cls(**({"daily_quota": 100, "md5_list_closed": True} | options))

    def reset(self) -> None:
        """Reset the simulator: no payment, fault, issued token or logged call, and the real time of the clock."""
        with self._lock:
            self.switches = attrs.evolve(self._initial_switches)
            self.rng = random.Random(self._seed)  # noqa: S311 - invents test data; `None` seeds it from the system
            self.faults = FaultPlan()
            self.payments = PaymentLedger(self.rng)
            self.tokens = TokenOffice(self.rng)
            self.tokens.register(self.email)
            self.tokens.accept(self.token, email=self.email)
            self.item_statuses: dict[str, str] = {}
            self.accounts = AccountBook()
            self._log = RequestLog()
            self._codes: dict[str, ScannedCode] = {}
            self._static_md5s: set[str] = set()
            self.clock = SimulatorClock(self._time_source)

    # What payers and developers do, and what goes wrong

    def pay(
        self,
        code: str | HasPayload,
        *,
        amount: Decimal | int | str | None = None,
        currency: Currency | str | int | None = None,
        to_account_id: str | None = None,
        from_account_id: str = PAYER,
        created_at: datetime | None = None,
        created_at_ms: int | None = None,
        visible_after: timedelta | None = None,
        external_ref: str | None = None,
        instruction_ref: str | None = None,
        description: str | None = None,
        tracking_status: str | None = None,
        receiver_bank: str | None = None,
        receiver_bank_account: str | None = None,
        failed: bool = False,
    ) -> SimulatedPayment:
        """Pay a code as a bank's app would.

        `code` is a payload, a `KHQR`, or an MD5. The code has the defaults of `amount`, `currency` (`"USD"`, `"KHR"`, a
        `Currency`) and `to_account_id`. A code without an amount needs `amount`, and the MD5 of an unknown code needs
        all three. `created_at` (aware) or `created_at_ms` is when the payer sent the money; by default it is now, cut
        to the second as in live answers. After `visible_after`, checks see the payment. The other details are kept
        unchanged. Raises `ValueError` or `TypeError` with the wrong detail and its rule.
        """
        with self._lock:
            scanned = self._read(code)
            paid_amount, paid_currency, paid_account_id = _paid(scanned, amount, currency, to_account_id)
            now_ms = self.clock.now_ms
            if created_at is not None:
                created_at_ms = to_milliseconds(created_at)
            elif created_at_ms is None:
                created_at_ms = now_ms // 1000 * 1000
            if visible_after is None:
                visible_after = timedelta(seconds=self.switches.visible_after_seconds)
            checked_duration("visible_after", visible_after)
            payment = SimulatedPayment(
                md5=scanned.md5,
                hash=self.payments.new_hash(),
                from_account_id=from_account_id,
                to_account_id=paid_account_id,
                currency=paid_currency,
                amount=paid_amount,
                created_at_ms=created_at_ms,
                acknowledged_at_ms=created_at_ms + 1000,
                visible_at_ms=now_ms + visible_after // timedelta(milliseconds=1),
                external_ref=self.payments.new_external_ref() if external_ref is None else external_ref,
                instruction_ref=instruction_ref,
                description=description,
                tracking_status=tracking_status,
                receiver_bank=receiver_bank,
                receiver_bank_account=receiver_bank_account,
                failed=failed,
            )
            self.payments.add(payment)
            return payment

    def fail(self, code: str | HasPayload, **details: Any) -> SimulatedPayment:
        """Let a payment fail: no money moves, and checks answer with error code 3. The details are those of `pay`."""
        return self.pay(code, failed=True, **details)

    def inject(self, kind: str | FaultKind, **details: Any) -> Fault:
        """Let the next call go wrong, or as many calls as `times`. See `Fault` for the kinds and details."""
        fault = Fault(kind=FaultKind(kind), **details)
        with self._lock:
            self.faults.add(fault)
        return fault

    def configure(self, **switches: Any) -> None:
        """Set switches. If one is wrong, none is set."""
        with self._lock:
            unknown = switches.keys() - attrs.fields_dict(Switches).keys()
            if unknown:
                raise TypeError(f"{min(unknown)}: isn't a switch of the simulator")
            self.switches = attrs.evolve(self.switches, **switches)

    def issue_token(
        self, email: str | None = None, *, lifetime: timedelta | None = None, revoke_others: bool = False
    ) -> str:
        """Issue a token as a renewal does. The email needn't be registered yet."""
        with self._lock:
            email = self.email if email is None else email
            self.tokens.register(email)
            lifetime = timedelta(days=self.switches.token_lifetime_days) if lifetime is None else lifetime
            if not isinstance(lifetime, timedelta):
                raise TypeError(f"lifetime: must be a timedelta, not {type(lifetime).__name__}")
            return self.tokens.issue(
                email,
                now_ms=self.clock.now_ms,
                lifetime_seconds=int(lifetime.total_seconds()),
                revoke_others=revoke_others,
            )

    def remember(self, code: str | HasPayload) -> ScannedCode:
        """Show a code to the simulator, so that its MD5 can be paid. Raises `ValueError` if the text isn't a code."""
        scanned = scan(code if isinstance(code, str) else code.payload)
        with self._lock:
            while len(self._codes) >= _REMEMBERED_CODES:
                del self._codes[next(iter(self._codes))]
            self._codes[scanned.md5] = scanned
            if scanned.is_static:
                self._static_md5s.add(scanned.md5)
        return scanned

    def is_static(self, md5: str) -> bool:
        """Return whether this is the MD5 of a static code that the simulator has seen."""
        return md5 in self._static_md5s

    @property
    def requests(self) -> deque[LoggedRequest]:
        """The last 1,000 calls, oldest first."""
        return self._log.requests

    @property
    def calls(self) -> Counter[str]:
        """The number of calls for each endpoint, by the last part of its path; `"unknown"` for other paths."""
        return self._log.calls

    @property
    def quota_day(self) -> int:
        """The day for which calls are counted, in days since 1970 in the time zone of the quota."""
        return (self.clock.now_ms + self.switches.quota_utc_offset_hours * 3_600_000) // 86_400_000

    # Time

    @property
    def now(self) -> datetime:
        """The simulator's time, in UTC."""
        return self.clock.now

    def advance(self, duration: timedelta) -> None:
        """Move the time forward, or back with a negative duration."""
        if not isinstance(duration, timedelta):
            raise TypeError(f"duration: must be a timedelta, not {type(duration).__name__}")
        self.clock.offset += duration

    def after(self, delay: timedelta, action: Callable[[], object]) -> None:
        """Run an action after a delay of simulated time. It runs before the next call, at the time that it was due."""
        checked_duration("delay", delay)
        checked_callable("action", action)
        with self._lock:
            self.clock.after(delay, action)

    # Calls

    def transport(self, *, waits: bool = False) -> "SimulatorTransport":
        """Return an httpx transport, blocking and asynchronous, that calls this simulator.

        A slow answer takes no time, and it fails at once if it is later than the client's timeout. With `waits`, it
        takes its time.
        """
        from bakong_khqr.testing.transport import SimulatorTransport

        return SimulatorTransport(self, waits=waits)

    @property
    def app(self) -> "Starlette":
        """This simulator as an ASGI application. `bakong_khqr.testing.server.serve` serves it on a port."""
        from bakong_khqr.testing.server import asgi_app

        return asgi_app(self)

    def handle(self, request: SimulatorRequest) -> SimulatorResponse:
        """Answer one request, to the API or to `/_simulator`."""
        with self._lock:
            self.clock.run_due()
            if control.is_control(request.path):
                return control.answer(self, request)
            response, fault = gateway.answer(self, request)
            name = gateway.endpoint_name(request.path) or "unknown"
            self._log.add(name, request, response, fault, now_ms=self.clock.now_ms)
            return response

    def _read(self, code: str | HasPayload) -> ScannedCode:
        if isinstance(code, str) and is_md5(code):
            return self._codes.get(code, ScannedCode(md5=code))
        return self.remember(code)


def _paid(
    scanned: ScannedCode,
    amount: Decimal | int | str | None,
    currency: Currency | str | int | None,
    to_account_id: str | None,
) -> tuple[Decimal, Currency, str]:
    """Return the amount, the currency and the account: as the payer says, or else as the code says."""
    paid_amount = scanned.amount if amount is None else as_amount(amount)
    paid_currency = scanned.currency if currency is None else as_currency(currency)
    paid_account_id = to_account_id or scanned.to_account_id
    if paid_amount is None:
        raise ValueError("amount: is needed, because the code has none or was never seen")
    if paid_currency is None:
        raise ValueError("currency: is needed, because no code with this MD5 was seen")
    if paid_account_id is None:
        raise ValueError("to_account_id: is needed, because no code with this MD5 was seen")
    return paid_amount, paid_currency, paid_account_id
