"""The composition root: settings into a service at work. The only place that knows every part."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import structlog

from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.retry import RetryPolicy
from bakong_service.clock import Clock
from bakong_service.domain.delivery import SCHEDULES
from bakong_service.domain.endpoint import TargetPolicy
from bakong_service.domain.policy import PaymentPolicy, Shop, SubscriptionPolicy, WebhookPolicy
from bakong_service.operations.business import Business
from bakong_service.operations.subscriptions import plans
from bakong_service.operations.subscriptions.plans_file import read_plans
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.operations.webhooks import endpoints
from bakong_service.settings import Settings
from bakong_service.storage import test_clock
from bakong_service.storage.engine import belonging, opening, signals
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.migrations import HEAD
from bakong_service.vault import Vault
from bakong_service.web.checkout.link_memory import remembered
from bakong_service.web.http.changes import Changes
from bakong_service.web.http.limiter import Limiter
from bakong_service.web.http.service import Service
from bakong_service.workers.audit_numbering import AuditNumberer
from bakong_service.workers.boundaries import Boundaries
from bakong_service.workers.budget import DatabaseBudget
from bakong_service.workers.delivery import Deliverer
from bakong_service.workers.dispatch import Dispatcher
from bakong_service.workers.loop import Loop
from bakong_service.workers.timekeeping import Timekeeper
from bakong_service.workers.upkeep import ClockFollower, Forgetter, KeyUseWriter
from bakong_service.workers.verification import Verifier
from bakong_service.workers.watcher import Settlement
from bakong_service.workers.watcher_parts import watcher

_TOKEN_OF_THE_SIMULATOR = "simulator"  # noqa: S105 - `init` writes it for test mode
_LINK_SECONDS = 10.0  # a payer waits for it

log = structlog.get_logger(__name__)


def business_of(settings: Settings) -> Business:
    """The shop, its rules and its vault, as the settings say."""
    return Business(
        shop=Shop(
            bakong_account_id=settings.bakong_merchant_id,
            merchant_name=settings.merchant_name,
            merchant_city=settings.merchant_city,
            merchant_name_km=settings.merchant_name_km,
            acquiring_bank=settings.acquiring_bank,
            merchant_id=settings.merchant_code,
        ),
        vault=Vault(settings.key_ring, settings.pepper),
        payments=PaymentPolicy(
            qr_life=settings.qr_life,
            deadline=settings.payment_deadline,
            grace=settings.grace,
            late_accept=settings.late_accept,
            watch_for=settings.watch_for,
            return_urls=settings.return_urls,
        ),
        subscriptions=SubscriptionPolicy(grace=settings.subscription_grace),
        webhooks=WebhookPolicy(
            targets=TargetPolicy(private_networks=settings.webhook_private_networks, plain_http=settings.is_test),
            schedule=SCHEDULES[settings.webhook_schedule],
        ),
    )


@asynccontextmanager
async def opened(settings: Settings, *, prepared: bool = False) -> AsyncIterator[Service]:
    """A service with its database open, and no worker: what a command needs.

    With `prepared`, as `serve` and `work` start: the database is brought forward and made to say what the settings say.
    Raises `SchemaMismatch`, `UnfitDatabase`, `DatabaseUnavailable`, `PlansFileError`, and `Invalid` for plans or an
    endpoint that can't be.
    """
    executor = await opening.open_database(
        settings.database_url.reveal(), bring_forward=prepared, pool=settings.database_pool
    )
    async with AsyncExitStack() as closing:
        closing.push_async_callback(executor.close)
        service = await _service(settings, executor, closing)
        await belonging.prove(executor, service.business.vault, mode=settings.mode, now=service.clock.now())
        if prepared:
            await _prepare(service)
        yield service


async def migrate(settings: Settings) -> tuple[str | None, str]:
    """Bring the database forward; the revision before, and the present one. A new database gets the settings' mode.

    Raises `SchemaMismatch`, `UnfitDatabase`, `DatabaseUnavailable`.
    """
    url = settings.database_url.reveal()
    executor = await opening.start(url)
    try:
        before = await opening.migrate(executor, url)
        vault = Vault(settings.key_ring, settings.pepper)
        await belonging.prove(executor, vault, mode=settings.mode, now=Clock().now())
        return before, HEAD
    finally:
        await executor.close()


async def _prepare(service: Service) -> None:
    """The plans that are sold, and the endpoint of the main backend."""
    settings = service.settings
    terms = None if settings.plans_file is None else read_plans(settings.plans_file)
    if not settings.is_test and settings.bakong_developer_token.reveal() == _TOKEN_OF_THE_SIMULATOR:
        log.error("simulator_token_in_live_mode", advice="set BAKONG_DEVELOPER_TOKEN to the token that NBC sent you")
    secret = None if settings.webhook_secret is None else settings.webhook_secret.reveal()

    def operation(work: UnitOfWork) -> None:
        plans.ensure_defaults(work, terms)
        endpoints.ensure_default(work, url=settings.webhook_url, secret=secret)

    await service.run("system:start", operation)


async def _service(settings: Settings, executor: Executor, closing: AsyncExitStack) -> Service:
    clock, limiter = Clock(), Limiter(settings.redis_url, settings.replicas)
    if settings.is_test:
        clock.offset = await executor.read(test_clock.offset)
    # Links need no token; whether they count towards the day's calls is in no document, so they do.
    bakong = AsyncBakongClient(
        None,
        base_url=settings.bakong_base_url,
        timeout_seconds=_LINK_SECONDS,
        retry=RetryPolicy(attempts=1),
        budget=DatabaseBudget(executor, clock, settings.bakong_daily_limit),
    )

    @remembered
    async def deeplink(payload: str) -> str:
        return (await bakong.generate_deeplink(payload)).short_link

    closing.push_async_callback(limiter.close)
    closing.push_async_callback(bakong.aclose)
    return Service(
        executor=executor,
        business=business_of(settings),
        clock=clock,
        settings=settings,
        changes=Changes(executor),
        deeplink=deeplink,
        limiter=limiter,
    )


@asynccontextmanager
async def working(service: Service, loops: list[Loop]) -> AsyncIterator[None]:
    """Run the workers' loops for as long as this lasts."""
    for loop in loops:
        service.metrics.follow(loop)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop.run(), name=loop.name) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


def timekeeper(service: Service) -> Timekeeper:
    """What keeps this process's clock."""
    return Timekeeper(service.executor, service.clock, grace=service.business.payments.grace)


def followers(service: Service, keeper: Timekeeper) -> list[Loop]:
    """Return the loops of every process: they compare the clocks, write when keys were used, follow a test clock."""
    key_uses = KeyUseWriter(lambda: service.key_uses.write(service.executor))
    loops = [
        Loop("timekeeping", keeper.step, service.clock),
        Loop("key uses", key_uses.step, service.clock, close=key_uses.write),
    ]
    if service.settings.is_test:
        loops.append(Loop("clock", ClockFollower(service.executor, service.clock).step, service.clock))
    return loops


def watcher_of(service: Service, http: httpx.AsyncClient, keeper: Timekeeper | None = None) -> Settlement:
    """The watcher of the settings, over a HTTP client that the caller closes."""
    settings = service.settings
    return watcher(
        service.executor,
        service.business,
        service.clock,
        http=http,
        base_url=settings.bakong_base_url,
        token=settings.bakong_developer_token.reveal(),
        email=settings.bakong_email,
        daily_limit=settings.bakong_daily_limit,
        timekeeper=keeper,
        detected=service.metrics.detected,
    )


def workers(service: Service, keeper: Timekeeper) -> list[Loop]:
    """Every worker of the service."""
    parts = (service.executor, service.business, service.clock)
    dispatcher, deliverer = Dispatcher(*parts), Deliverer(*parts)
    http = httpx.AsyncClient()
    settlement = watcher_of(service, http, keeper)
    service.metrics.count("bakong_checks", "Answers to checks, by what they told", settlement.counts)
    service.metrics.count("bakong_webhooks", "Attempts at deliveries, by what came of them", deliverer.counts)
    return [
        Loop(
            "settlement",
            settlement.step,
            service.clock,
            _woken(service, signals.CHECKS),
            close=http.aclose,
        ),
        Loop(
            "verification", Verifier(service.executor, service.business, service.metrics.verified).step, service.clock
        ),
        Loop("audit numbering", AuditNumberer(service.executor).step, service.clock),
        Loop("forgetting", Forgetter(service.executor).step, service.clock),
        Loop("boundaries", Boundaries(*parts, keeper).step, service.clock),
        Loop("dispatch", dispatcher.step, service.clock, _woken(service, signals.EVENTS)),
        Loop(
            "delivery",
            deliverer.step,
            service.clock,
            _woken(service, signals.DELIVERIES, deliverer.wake),
            close=deliverer.aclose,
        ),
    ]


def _woken(service: Service, channel: str, wake: asyncio.Event | None = None) -> asyncio.Event:
    """An event that is set by each signal on a channel."""
    woken = wake or asyncio.Event()
    service.executor.listen(channel, lambda _: woken.set())
    return woken
