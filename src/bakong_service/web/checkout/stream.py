"""Telling an open page that it has something new to show. The page then fetches itself: nothing is written twice."""

import random
from collections.abc import AsyncIterator

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bakong_service.operations.payments import requests as operations
from bakong_service.web.checkout.states import FINAL, mark_of
from bakong_service.web.http import limits
from bakong_service.web.http.auth import act
from bakong_service.web.http.server import BOUNDS
from bakong_service.web.http.service import of
from bakong_service.web.payments.payments import find

_PING_SECONDS = 15
_VIEWED_AGAIN_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 5.0  # a change of status is signalled; this finds the passing of time, and a Bakong that is away


async def read(request: Request) -> Response:
    """Send the page's mark now and whenever it changes, and `end` when nothing more can come."""
    await limits.enter_stream(request)
    payment = await find(request)
    return EventSourceResponse(_marks(request, payment.reference), ping=round(_spread(_PING_SECONDS)))


async def status(request: Request) -> Response:
    """Answer with the page's mark, for a page that can't have a stream."""
    return PlainTextResponse(await _mark(request))


async def _mark(request: Request) -> str:
    service, payment = of(request), await find(request)
    now = service.clock.now()
    return mark_of(payment, now, is_away=await service.reach.is_away(service.executor, now))


async def _marks(request: Request, reference: str) -> AsyncIterator[ServerSentEvent]:
    service = of(request)
    ends_at, told = anyio.current_time() + BOUNDS.stream_seconds, ""
    while not service.stopping.is_set() and anyio.current_time() < ends_at:
        if (mark := await _mark(request)) != told:
            told = mark
            yield ServerSentEvent(data=mark, event="mark")
        if mark.partition("-")[0] in FINAL:  # a state is its text
            yield ServerSentEvent(data=mark, event="end")
            return
        await act(request, lambda work: operations.viewed(work, reference))
        await service.changes.until(
            reference,
            lambda: _mark(request),
            told.__ne__,
            seconds=_spread(_VIEWED_AGAIN_SECONDS),
            stopping=service.stopping,
            look_again_seconds=_spread(_LOOK_AGAIN_SECONDS),
        )


def _spread(seconds: float) -> float:
    """Return a time around `seconds`, so that a thousand pages that opened together don't look again together."""
    return seconds * random.uniform(0.7, 1.3)  # noqa: S311 - no secret
