"""What a handler works with. Made by the composition root, found with `of(request)`."""

import asyncio
from collections.abc import Awaitable, Callable

from attrs import Factory, frozen
from starlette.requests import Request

from bakong_service.clock import Clock
from bakong_service.operations.business import Business
from bakong_service.settings import Settings
from bakong_service.storage.executor import Executor
from bakong_service.web.changes import Changes
from bakong_service.web.limiter import Limiter
from bakong_service.web.metrics import Metrics


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
    stopping: asyncio.Event = Factory(asyncio.Event)  # set when the process is asked to stop: whoever waits, ends


def of(request: Request) -> Service:
    """The service that a request came to."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service
