"""Puts a watcher together: the SDK's client under the shared budget, the token's keeper, and the settlement."""

import httpx

from bakong_khqr.api import Token
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.retry import RetryPolicy
from bakong_service.clock import Clock
from bakong_service.operations.business import Business
from bakong_service.storage.executor import Executor
from bakong_service.workers.budget import DatabaseBudget
from bakong_service.workers.provider import Provider
from bakong_service.workers.settlement import Settlement
from bakong_service.workers.tokens import TokenKeeper

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
) -> Settlement:
    """A watcher over a HTTP client that the caller closes. `daily_limit` None: as many calls as it likes."""
    budget = DatabaseBudget(executor, clock, daily_limit)

    def connect(token: Token) -> AsyncBakongClient:
        # Nothing is sent twice here: what goes wrong is written down, and the payment is due again later.
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
    return Settlement(executor, business, clock, Provider(executor, clock, tokens, daily_limit=daily_limit))
