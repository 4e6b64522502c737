"""How many requests may work at once. Callers with and without a good key have separate places.

A request without a proven key has a place of its address. A good key moves the request to a place of that key. A
request that waits for long (an event stream, `?wait=`, a link from Bakong) moves to a place for streams. A request that
gets no place waits for one, for a second at most.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from functools import cached_property

from attrs import Factory, define, field, frozen
from starlette.requests import Request

from bakong_service.web.http.server import BOUNDS, Bounds


class NoPlace(Exception):  # noqa: N818 - what happened
    """No place became free in time."""


@frozen(kw_only=True)
class Kind:
    """One kind of places: their number for each name (an address or a key), and for all names together."""

    name: str
    each: int
    total: int
    waits: bool = True  # False: a request without a place is refused at once


@define(eq=False)
class _Queue:
    """The number of taken places of one name, and the requests that wait for a place."""

    taken: int = 0
    waiting: deque[asyncio.Future[None]] = Factory(deque)


@define(eq=False)
class Places:
    """The places of a process."""

    bounds: Bounds = BOUNDS
    _queues: dict[tuple[str, str], _Queue] = field(init=False, factory=dict)
    _totals: dict[str, int] = field(init=False, factory=dict)

    @cached_property
    def by_address(self) -> Kind:
        """The places of requests that haven't shown a good key."""
        return Kind(name="address", each=self.bounds.at_work_by_address, total=self.bounds.at_work_without_key)

    @cached_property
    def by_key(self) -> Kind:
        """The places of requests with a good key."""
        return Kind(name="key", each=self.bounds.at_work_by_key, total=self.bounds.at_work_with_key)

    @cached_property
    def metrics(self) -> Kind:
        """The places of `/metrics`, which other requests can't take."""
        return Kind(name="metrics", each=self.bounds.metrics_by_key, total=self.bounds.at_work_with_key)

    @cached_property
    def streams(self) -> Kind:
        """The places of requests that wait for long."""
        return Kind(name="stream", each=self.bounds.streams_by_key, total=self.bounds.streams, waits=False)

    @property
    def payer_streams(self) -> Kind:
        """Places of pages that payers have open. They are apart from the streams of keys."""
        bounds = self.bounds
        return Kind(name="page", each=bounds.streams_by_payment, total=bounds.payer_streams, waits=False)

    def taken(self, kind: Kind, name: str | None = None) -> int:
        """Return how many places of a kind are taken, by one name or by all names."""
        if name is None:
            return self._totals.get(kind.name, 0)
        queue = self._queues.get((kind.name, name))
        return 0 if queue is None else queue.taken

    async def take(self, kind: Kind, name: str) -> None:
        """Take a place. Raises `NoPlace` if none becomes free within the time that a request may wait."""
        queue = self._queues.setdefault((kind.name, name), _Queue())
        if not queue.waiting and self._has_room(kind, queue):
            self._count(kind, queue, 1)
            return
        if not kind.waits or len(queue.waiting) >= self.bounds.queue_length:
            self._forget(kind, name, queue)
            raise NoPlace(_words(kind))
        turn = asyncio.get_running_loop().create_future()
        queue.waiting.append(turn)
        try:
            async with asyncio.timeout(self.bounds.queue_seconds):
                await turn
        except TimeoutError as error:
            if turn.done() and not turn.cancelled():
                return  # the turn came at the last moment
            self._give_up(turn, kind, name, queue)
            raise NoPlace(_words(kind)) from error
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(kind, name)
            else:
                self._give_up(turn, kind, name, queue)
            raise

    def _give_up(self, turn: asyncio.Future[None], kind: Kind, name: str, queue: _Queue) -> None:
        """Take a request out of the queue. A place that got free since its time ran out has already passed it over."""
        if turn in queue.waiting:
            queue.waiting.remove(turn)
        self._forget(kind, name, queue)

    def leave(self, kind: Kind, name: str) -> None:
        """Release a place, and give it to the next request."""
        queue = self._queues[kind.name, name]
        self._count(kind, queue, -1)
        self._call_next(kind, queue)
        self._forget(kind, name, queue)
        if self._totals[kind.name] == kind.total - 1:  # the total was reached, so another name may go on
            for (other, _), waiting in list(self._queues.items()):
                if other == kind.name and self._call_next(kind, waiting):
                    break

    def _call_next(self, kind: Kind, queue: _Queue) -> bool:
        while queue.waiting and self._has_room(kind, queue):
            turn = queue.waiting.popleft()
            if not turn.done():
                self._count(kind, queue, 1)
                turn.set_result(None)
                return True
        return False

    def _has_room(self, kind: Kind, queue: _Queue) -> bool:
        return queue.taken < kind.each and self._totals.get(kind.name, 0) < kind.total

    def _count(self, kind: Kind, queue: _Queue, change: int) -> None:
        queue.taken += change
        self._totals[kind.name] = self._totals.get(kind.name, 0) + change

    def _forget(self, kind: Kind, name: str, queue: _Queue) -> None:
        if not queue.taken and not queue.waiting and self._queues.get((kind.name, name)) is queue:
            del self._queues[kind.name, name]


@define(eq=False)
class Place:
    """The place that one request has now. At first it has none."""

    _places: Places
    _pause_reading: Callable[[], None]
    _at: tuple[Kind, str] | None = None

    async def move(self, kind: Kind, name: str) -> None:
        """Release the present place, and take one of another kind. Raises `NoPlace`."""
        if self._at == (kind, name):
            return
        self.leave()
        await self._places.take(kind, name)
        self._at = (kind, name)

    async def linger(self) -> None:
        """Release the place, and let the request wait for its refusal.

        A caller that is refused at once would ask again at once, and a thousand of them would leave no time for others.
        The times differ, so that callers who came together don't come back together. What else the caller sends stays
        in the kernel.
        """
        self.leave()
        self._pause_reading()
        await asyncio.sleep(self._places.bounds.refusal_seconds * random.uniform(0.5, 1.5))  # noqa: S311 - no secret

    def leave(self) -> None:
        """Release the place."""
        if self._at is not None:
            self._places.leave(*self._at)
            self._at = None


def of(request: Request) -> Place:
    """Return the place of a request."""
    place = request.scope["place"]
    assert isinstance(place, Place)
    return place


def _words(kind: Kind) -> str:
    what = "requests are under way" if kind.waits else "streams are open"
    whose = {"address": "address", "page": "payment"}.get(kind.name, "key")
    return f"too many {what}: this {whose} may have {kind.each} at once, and all together {kind.total}"
