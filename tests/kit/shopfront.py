"""A shop with webhooks: a till, the dispatcher of its events, and the deliverer of their deliveries."""

import random
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from attrs import define, evolve, field
from sqlalchemy import Connection

from bakong_service.domain.delivery import Delivery, DeliveryState
from bakong_service.domain.endpoint import Endpoint, NewEndpoint, TargetPolicy
from bakong_service.domain.event import NewEvent
from bakong_service.domain.identifiers import Identifiers
from bakong_service.domain.policy import WebhookPolicy
from bakong_service.operations.webhooks import deliveries as delivery_operations
from bakong_service.operations.webhooks import endpoints
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.webhooks import delivery_records, outbox
from bakong_service.workers.delivery import Deliverer
from bakong_service.workers.dispatch import Dispatcher
from kit.business import a_business
from kit.till import Till

LOOPBACK = TargetPolicy(private_networks=(ip_network("127.0.0.0/8"),), plain_http=True)


@define
class Shopfront:
    """Everything of webhooks, with hands for tests."""

    till: Till
    dispatcher: Dispatcher = field(init=False)
    deliverer: Deliverer = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self, **policy: Any) -> None:
        """Begin with new workers, as a new process would."""
        self.till.business = evolve(self.till.business, webhooks=evolve(self.till.business.webhooks, **policy))
        self.dispatcher = Dispatcher(self.till.executor, self.till.business, self.till.clock)
        self.deliverer = Deliverer(self.till.executor, self.till.business, self.till.clock)

    async def listen(
        self, url: str, *, secret: str | None = None, event_types: frozenset[str] = frozenset()
    ) -> Endpoint:
        """A new endpoint."""
        endpoint, _ = await self.listen_with_secret(url, secret=secret, event_types=event_types)
        return endpoint

    async def listen_with_secret(
        self, url: str, *, secret: str | None = None, event_types: frozenset[str] = frozenset()
    ) -> tuple[Endpoint, str]:
        request = NewEndpoint(url=url, secret=secret, event_types=event_types)
        return await self.till.do(endpoints.create, request)

    def another_worker(self) -> Deliverer:
        """A deliverer as a second process has it."""
        return Deliverer(self.till.executor, self.till.business, self.till.clock)

    async def happen(
        self,
        subject: str = "pay_1",
        kind: str = "payment.paid",
        *,
        and_then: Callable[[Connection], object] | None = None,
        **data: object,
    ) -> str:
        """An event, committed and not yet dispatched; `and_then` runs in its transaction."""
        event = NewEvent(type=kind, subject=subject, previous_status="pending", data={"reference": subject, **data})

        def operation(connection: Connection) -> str:
            reference = outbox.append(connection, self.till.business.identifiers, event, now=self.till.now)
            if and_then is not None:
                and_then(connection)
            return reference

        return await self.till.run(operation)

    async def forget_attempts(self) -> int:
        return await self.till.run(lambda c: delivery_operations.forget_attempts(c, now=self.till.now))

    async def dispatch(self) -> None:
        await self.dispatcher.step(self.till.now)

    async def deliver(self) -> None:
        """Dispatch, and make every attempt that is due until none is."""
        await self.dispatch()
        busy = True
        while busy:
            due = await self.deliverer.step(self.till.now)
            busy = due <= self.till.now or bool(self.deliverer._under_way)
            await self.deliverer.ended()

    async def deliveries(self, **filters: Any) -> list[Delivery]:
        """Every delivery, oldest first."""
        rows = await self.till.read(delivery_records.page, limit=1000, **filters)
        return rows[::-1]

    async def states(self) -> list[DeliveryState]:
        return [row.state for row in await self.deliveries()]


def a_shopfront(executor: Executor) -> Shopfront:
    """Return a shop whose identifiers are the same in every run, and that may send to this machine."""
    identifiers = Identifiers(random.Random(7).getrandbits)
    return Shopfront(Till(executor, a_business(identifiers=identifiers, webhooks=WebhookPolicy(targets=LOOPBACK))))
