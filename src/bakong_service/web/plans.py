"""Plans over HTTP: what is sold, and at which price from now on."""

from datetime import timedelta
from typing import Annotated

from attrs import frozen
from msgspec import Meta
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import Fault
from bakong_service.domain.plan import PlanTerms
from bakong_service.operations import plans as operations
from bakong_service.operations.subscription_presenting import plan as shown
from bakong_service.storage import plans
from bakong_service.web import answers, bodies
from bakong_service.web.auth import caller
from bakong_service.web.idempotency import Answer, idempotent
from bakong_service.web.payments import money
from bakong_service.web.problems import invalid
from bakong_service.web.service import of


@frozen(kw_only=True)
class NewPlanBody:
    """A plan's terms. A code that is known gets a new version; currency and period stay what they were."""

    code: Annotated[str, Meta(pattern="^[A-Z0-9][A-Z0-9_]{0,31}$")]
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    amount: Annotated[str, Meta(max_length=32)]
    currency: Annotated[str, Meta(max_length=3)]
    period_days: Annotated[int, Meta(ge=1, le=3660)] = 30

    def terms(self) -> PlanTerms:
        """As the operation takes them. Raises a 422 `Problem`."""
        price = money(self.amount, self.currency)
        assert price is not None
        if not self.name.strip():
            raise invalid(Fault("/name", "invalid_value", "a name isn't blank"))
        return PlanTerms(code=self.code, name=self.name, price=price, period=timedelta(days=self.period_days))


async def index(request: Request) -> Response:
    """The newest version of each plan, by code."""
    found = await of(request).executor.read(plans.every_latest)
    return answers.json(
        {"object": "list", "data": [shown(plan) for plan in found], "has_more": False, "next_cursor": None}
    )


async def offer(request: Request) -> Response:
    """A new plan, or a new version of one; the same terms again change nothing."""
    terms = (await bodies.parse(request, NewPlanBody)).terms()
    service, actor = of(request), caller(request).actor
    now = service.clock.now()

    def operation(connection: Connection) -> Answer:
        return Answer(201, shown(operations.offer(connection, service.business, terms, actor=actor, now=now)))

    return await idempotent(request, operation)
