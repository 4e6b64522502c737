"""Puts a watcher together: the SDK's client with the shared budget, the keeper of the token, and the settlement."""

from collections.abc import Callable

import httpx

from bakong_khqr.api import Token
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.retry import RetryPolicy
from bakong_service.clock import Clock
from bakong_service.operations.business import Business
from bakong_service.storage.engine.executor import Executor
from bakong_service.workers.budget import DatabaseBudget
from bakong_service.workers.provider import Provider
from bakong_service.workers.timekeeping import Timekeeper
from bakong_service.workers.tokens import TokenKeeper
from bakong_service.workers.watcher import Settlement

TIMEOUT_SECONDS = 10.0


def watcher(
    executor: Executor,
    business: Business,
    clock: Clock,
    *,
    http: httpx.AsyncClient,
    base_url: str,
    token: str,
    email: str | None,
    daily_limit: int | None,
    timekeeper: Timekeeper | None = None,
    detected: Callable[[float], None] = lambda _: None,
) -> Settlement:
    """Return a watcher that uses an HTTP client of the caller. Without a `daily_limit`, calls aren't limited.

    `timekeeper` reads Bakong's time from each answer. Without it, the process's clock is trusted. When a payment
    becomes paid, `detected` gets the seconds since the payer sent the money.
    """
    if timekeeper is not None:
        timekeeper.listen(http, base_url)
    budget = DatabaseBudget(executor, clock, daily_limit)

    def connect(token: Token) -> AsyncBakongClient:
        # No call is retried here: a failed look is recorded, and the payment is due again later.
        return AsyncBakongClient(
            token,
            base_url=base_url,
            timeout_seconds=TIMEOUT_SECONDS,
            retry=RetryPolicy(attempts=1),
            http_client=http,
            budget=budget,
            clock=clock.now,
        )

    tokens = TokenKeeper(executor, business.vault, clock, connect, setting=token, email=email)
    provider = Provider(executor, clock, tokens, daily_limit=daily_limit, timekeeper=timekeeper)
    return Settlement(executor, business, clock, provider, timekeeper, detected)
