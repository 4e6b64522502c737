"""What a handler works with. Made by the composition root, found with `of(request)`."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TypeVar

from attrs import Factory, frozen
from starlette.requests import Request

from bakong_service.clock import Clock
from bakong_service.operations.business import Business
from bakong_service.operations.unit_of_work import UnitOfWork, transaction
from bakong_service.settings import Settings
from bakong_service.storage import api_keys
from bakong_service.storage.engine.executor import Executor
from bakong_service.web.checkout.reach import Reach
from bakong_service.web.http.changes import Changes
from bakong_service.web.http.key_uses import KeyUses
from bakong_service.web.http.limiter import Limiter
from bakong_service.web.http.places import Places
from bakong_service.web.http.proven import ProvenKeys
from bakong_service.web.operating.metrics import Metrics
from bakong_service.web.operating.readiness import Readiness
from bakong_service.web.payments.polled import PolledAnswers

T = TypeVar("T")


@frozen(kw_only=True, eq=False)
class Service:
    """The running service, as its handlers see it."""

    executor: Executor
    business: Business
    clock: Clock
    settings: Settings
    changes: Changes
    deeplink: Callable[[str], Awaitable[str]]  # a payload's link, from Bakong; raises `BakongError`
    metrics: Metrics = Factory(Metrics)
    limiter: Limiter = Factory(Limiter)
    places: Places = Factory(Places)
    proven: ProvenKeys = Factory(ProvenKeys)
    key_uses: KeyUses = Factory(KeyUses)
    readiness: Readiness = Factory(Readiness)
    reach: Reach = Factory(Reach)
    polled: PolledAnswers = Factory(PolledAnswers)
    stopping: asyncio.Event = Factory(asyncio.Event)  # set when the process is asked to stop: whoever waits, ends

    @cached_property
    def main_key_hash(self) -> bytes | None:
        """The hash of `MAIN_BACKEND_API_KEY`, as keys in the database are hashed; None without this setting."""
        main = self.settings.main_backend_api_key
        return None if main is None else api_keys.hashed(self.business.vault, main.reveal())

    async def run(self, actor: str, operation: Callable[[UnitOfWork], T], *, ip: str | None = None) -> T:
        """Run an operation in a transaction of its own, in the name of `actor`, now. `ip` is a request's address."""
        return await self.executor.run(transaction(self.business, actor, self.clock.now(), operation, ip=ip))


def of(request: Request) -> Service:
    """The service that a request came to."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service
