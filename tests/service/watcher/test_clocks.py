"""What can't be undone isn't done on the word of one clock, and a clock that is wrong sends no money to review."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from attrs import define, field

from bakong_service.clock import Clock
from bakong_service.domain.money import Money
from bakong_service.domain.payment import NewPayment, Payment, PaymentStatus
from bakong_service.domain.subscription import Status, Subscription
from bakong_service.domain.timekeeping import Clocks, agreed_time, told_date
from bakong_service.operations.payments import requests as payments
from bakong_service.storage.bakong import provider_clock
from bakong_service.storage.checks.facts import facts
from bakong_service.storage.subscriptions import subscriptions
from bakong_service.workers.boundaries import Boundaries
from bakong_service.workers.timekeeping import Timekeeper
from bakong_service.workers.watcher import Settlement
from bakong_service.workers.watcher_parts import watcher
from kit.clocks import BEGIN
from kit.scene import Scene
from kit.there import there

pytestmark = pytest.mark.anyio
S = PaymentStatus
GRACE = timedelta(minutes=2)
T = datetime(2026, 11, 1, 12, tzinfo=UTC)
NEAR, FAR, FARTHER = T + timedelta(seconds=50), T + timedelta(hours=26), T - timedelta(hours=3)


@pytest.mark.parametrize(
    ("clocks", "time"),
    [
        (Clocks(own=T, steady=T), T),
        (Clocks(own=T, steady=NEAR, database=NEAR, bakong=NEAR), T),
        # One clock's word, against each of the others that is there.
        (Clocks(own=FAR, steady=T), None),
        (Clocks(own=FAR, steady=T, database=T), None),
        # This machine's clock jumped, and its database's with it.
        (Clocks(own=FAR, steady=T, database=FAR), None),
        (Clocks(own=FAR, steady=T, database=FAR, bakong=T), None),
        # The machine was asleep, or its clock has been set right: two others agree with it.
        (Clocks(own=FAR, steady=T, database=FAR, bakong=FAR), FAR),
        (Clocks(own=FAR, steady=FAR, database=FAR, bakong=T), FAR),
        (Clocks(own=FAR, steady=FAR, database=T, bakong=FAR), FAR),
        # SQLite has no clock of its own.
        (Clocks(own=FAR, steady=T, bakong=FAR), FAR),
        (Clocks(own=FAR, steady=T, bakong=T), None),
        (Clocks(own=FAR, steady=FAR, bakong=T), None),
        # It was wrong from the start: the database and Bakong set it right.
        (Clocks(own=FAR, steady=FAR, database=T, bakong=NEAR), T),
        (Clocks(own=FAR, steady=FAR, database=T), None),
        (Clocks(own=FAR, steady=FARTHER, database=T, bakong=FARTHER + timedelta(hours=9)), None),
    ],
)
def test_two_clocks_have_to_agree(clocks: Clocks, time: datetime | None) -> None:
    assert agreed_time(clocks) == time


@pytest.mark.parametrize(
    ("headers", "moment"),
    [
        ({"date": "Sun, 01 Nov 2026 12:00:00 GMT"}, T),
        ({"date": "Sun, 01 Nov 2026 19:00:00 +0700"}, T),
        ({"date": "Sun, 01 Nov 2026 12:00:00 GMT", "age": "0"}, T),
        ({"date": "Sun, 01 Nov 2026 12:00:00 GMT", "age": "60"}, None),  # out of a cache
        ({"date": "yesterday"}, None),
        ({"date": ""}, None),
        ({}, None),
    ],
)
def test_a_date_that_can_not_be_read_is_no_clock(headers: dict[str, str], moment: datetime | None) -> None:
    assert told_date(headers) == moment


@define(eq=False)
class Machine:
    """A replica on a machine whose clock may be `error` off the true time, which is the scene's; as may Bakong's."""

    scene: Scene
    has_database_clock: bool = True
    tells_date: bool = True
    error: timedelta = timedelta(0)
    bakong_error: timedelta = timedelta(0)
    clock: Clock = field(init=False)
    keeper: Timekeeper = field(init=False)
    watcher: Settlement = field(init=False)
    boundaries: Boundaries = field(init=False)
    http: httpx.AsyncClient = field(init=False)

    def start(self) -> None:
        scene = self.scene
        self.clock = Clock(lambda: scene.till.now + self.error, lambda: (scene.till.now - BEGIN).total_seconds())
        self.keeper = Timekeeper(
            scene.till.executor,
            self.clock,
            grace=GRACE,
            database=lambda _: scene.till.now if self.has_database_clock else None,
        )
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.watcher = watcher(
            scene.till.executor, scene.till.business, self.clock, http=self.http, base_url="https://bakong.test",
            token="simulator", email=None, daily_limit=None, timekeeper=self.keeper,
        )  # fmt: skip
        self.boundaries = Boundaries(scene.till.executor, scene.till.business, self.clock, self.keeper)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self.scene.bakong.transport().handle_async_request(request)
        body = await answer.aread()
        date = (
            {"date": format_datetime(self.scene.till.now + self.bakong_error, usegmt=True)} if self.tells_date else {}
        )
        return httpx.Response(answer.status_code, headers={"content-type": "application/json", **date}, content=body)

    async def step(self, times: int = 1, **between: float) -> None:
        for _ in range(times):
            self.scene.till.later(**(between or {"seconds": 1}))
            await self.keeper.step(self.clock.now())
            await self.watcher.step(self.clock.now())
            await self.boundaries.step(self.clock.now())


@pytest.fixture
async def machine(scene: Scene) -> AsyncIterator[Machine]:
    machine = Machine(scene)
    machine.start()
    yield machine
    await machine.http.aclose()


async def live(scene: Scene) -> Subscription:
    return there(await scene.till.read(subscriptions.live_of, "u1"))


async def subscribed(machine: Machine) -> Payment:
    payment = await machine.scene.till.create(user_id="u1", plan="PREMIUM")
    machine.scene.pay(payment)
    await machine.step(5)
    assert (await live(machine.scene)).status is Status.ACTIVE
    return payment


@pytest.mark.parametrize("has_database_clock", [True, False])
@pytest.mark.parametrize("tells_date", [True, False])
async def test_a_clock_that_runs_ahead_for_seconds_ends_no_watch(
    machine: Machine, has_database_clock: bool, tells_date: bool
) -> None:
    machine.has_database_clock, machine.tells_date = has_database_clock, tells_date
    scene = machine.scene
    payment = await scene.till.create()
    await machine.step(4)
    machine.error = timedelta(hours=26)
    await machine.step(9)
    assert abs(machine.clock.now() - scene.till.now) < GRACE
    assert (await scene.till.payment(payment)).status is S.PENDING
    machine.error = timedelta(0)
    scene.pay(payment)
    await machine.step(6)
    assert machine.keeper.is_trusted
    assert (await scene.till.payment(payment)).status is S.PAID


@pytest.mark.parametrize("has_database_clock", [True, False])
@pytest.mark.parametrize("tells_date", [True, False])
async def test_a_clock_that_runs_ahead_for_seconds_ends_no_subscription(
    machine: Machine, has_database_clock: bool, tells_date: bool
) -> None:
    machine.has_database_clock, machine.tells_date = has_database_clock, tells_date
    await subscribed(machine)
    machine.error = timedelta(days=40)
    await machine.step(5)
    assert (await live(machine.scene)).status is Status.ACTIVE
    machine.error = timedelta(0)
    await machine.step(2)
    assert (await live(machine.scene)).status is Status.ACTIVE
    await machine.step(1, days=34)  # the real end
    assert await machine.scene.till.read(subscriptions.live_of, "u1") is None


async def test_a_machine_that_starts_with_a_wrong_clock_is_set_right(machine: Machine) -> None:
    scene = machine.scene
    payment = await scene.till.create()
    await subscribed(machine)
    late = Machine(scene, error=timedelta(days=40))
    late.start()
    await late.boundaries.step(late.clock.now())
    assert (await live(scene)).status is Status.ACTIVE
    await late.step(4)
    assert (late.clock.now(), late.keeper.is_trusted) == (scene.till.now, True)
    assert (await scene.till.payment(payment)).status is not S.EXPIRED
    assert (await live(scene)).status is Status.ACTIVE
    scene.pay(payment)
    await late.step(12, minutes=1)
    assert (await scene.till.payment(payment)).status is S.PAID
    await late.http.aclose()


async def test_the_end_of_a_watch_is_put_off_while_the_clock_is_not_believed(machine: Machine) -> None:
    """Bakong tells no `Date` here, and the database's clock disagrees."""
    machine.tells_date = False
    machine.error = timedelta(hours=26)
    scene = machine.scene
    payment = await scene.till.create()
    machine.start()
    await machine.step(6)
    held = await scene.till.payment(payment)
    assert held.status is not S.EXPIRED
    assert machine.watcher.counts["clock_distrusted"] >= 1
    scene.pay(payment)
    machine.error = timedelta(0)
    machine.start()
    await scene.till.hint(payment)
    await machine.step(3)
    assert (await scene.till.payment(payment)).status is S.PAID
    await machine.step(1)


@pytest.mark.parametrize("has_database_clock", [True, False])
async def test_a_jump_that_others_confirm_is_followed(machine: Machine, has_database_clock: bool) -> None:
    """A virtual machine was stopped for a day: its monotonic clock knows nothing of it, Bakong and the database do."""
    machine.has_database_clock = has_database_clock
    scene = machine.scene
    payment = await scene.till.create()
    await machine.step(4)
    stopped = timedelta(hours=24)
    machine.clock.seconds = lambda: (scene.till.now - BEGIN - stopped).total_seconds()
    scene.till.later(hours=24)
    assert abs(machine.clock.now() - scene.till.now) > timedelta(hours=23)
    await scene.till.hint(payment)
    await machine.step(4)
    assert machine.clock.now() == scene.till.now


@pytest.mark.parametrize("minutes", [3, -3, 10, -10])
@pytest.mark.parametrize("tells_date", [True, False])
async def test_a_clock_some_minutes_off_sends_no_payment_to_review(
    machine: Machine, minutes: int, tells_date: bool
) -> None:
    """Without a `Date` only money from before the code was made shows that the clock is wrong."""
    machine.tells_date = tells_date
    machine.error = timedelta(minutes=minutes)
    machine.start()
    scene = machine.scene
    asked, now = NewPayment(amount=Money(250, "USD")), machine.clock.now()
    payment = await scene.till.do(payments.create, asked, now=now)
    scene.pay(payment)
    await machine.step(4)
    await machine.step(12, minutes=1)  # a clock that was ahead has been set back: its looks were planned ahead, too
    found = await scene.till.payment(payment)
    assert found.status is (S.PAID if tells_date or minutes > 0 else S.REVIEW)


async def test_a_clock_that_differs_from_bakongs_is_told(machine: Machine) -> None:
    scene = machine.scene
    for seconds, notable in ((5, False), (30, True), (90, True), (0, False)):
        machine.bakong_error = timedelta(seconds=seconds)
        await scene.till.create()
        await machine.step(4)
        assert machine.keeper.skew == timedelta(seconds=seconds)
        told = await scene.till.run(lambda c: facts(c, now=scene.till.now))
        assert told["bakong_clock_ahead_seconds"] == seconds, notable
    machine.error, machine.has_database_clock = timedelta(hours=1), False
    await machine.step(1)
    state = await scene.till.run(lambda c: provider_clock.read(c, now=scene.till.now))
    assert (state.skew, state.distrusted) == (timedelta(0), True)
    machine.error = timedelta(0)
    await machine.step(1, minutes=3)
    assert not (await scene.till.run(lambda c: provider_clock.read(c, now=scene.till.now))).distrusted


async def test_the_database_tells_its_own_time(scene: Scene) -> None:
    told = await scene.till.read(provider_clock.now)
    if scene.till.executor.dialect == "sqlite":
        assert told is None
    else:
        assert abs(there(told) - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_test_clock_still_moves_everything() -> None:
    clock = Clock()
    clock.offset = timedelta(days=40)
    assert timedelta(0) <= clock.now() - datetime.now(UTC) - timedelta(days=40) + timedelta(seconds=5)
    assert abs(clock.world() - datetime.now(UTC)) < timedelta(seconds=5)
