"""Plans over HTTP: what is sold, and at which price from now on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.cadence import DEFAULT_DAYS, LONGEST, Cadence
from bakong_service.domain.errors import Fault
from bakong_service.domain.plan import PlanTerms
from bakong_service.operations.subscriptions import plans as operations
from bakong_service.resources import Plan
from bakong_service.storage.subscriptions import plans
from bakong_service.web.http import bodies, paging
from bakong_service.web.http.idempotency import Success, idempotent
from bakong_service.web.http.service import of
from bakong_service.web.payments.payments import money, money_faults


@frozen(kw_only=True)
class NewPlanBody:
    """A plan's terms. A code that is known gets a new version; currency and period stay what they were."""

    code: Annotated[str, Meta(pattern="^[A-Z0-9][A-Z0-9_]{0,31}$")]
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    amount: Annotated[str, Meta(max_length=32)]
    currency: Annotated[str, Meta(max_length=3)]
    period_days: Annotated[int, Meta(ge=1, le=LONGEST.days)] = DEFAULT_DAYS

    @staticmethod
    def faults(given: Mapping[str, Any], now: datetime) -> list[Fault]:
        """Return what is wrong with members that are right each by itself."""
        del now
        blank = given["name"] is not None and not given["name"].strip()
        return money_faults(given) + ([Fault("/name", "invalid_value", "a name isn't blank")] if blank else [])

    def terms(self) -> PlanTerms:
        """As the operation takes them."""
        price = money(self.amount, self.currency)
        assert price is not None
        cadence = Cadence.stated(period_days=self.period_days)
        return PlanTerms(code=self.code, name=self.name, price=price, cadence=cadence)


async def index(request: Request) -> Response:
    """The newest version of each plan, by code; also of those that are withdrawn from sale."""
    newest, withdrawn = await of(request).executor.read(
        lambda connection: (plans.every_latest(connection), plans.withdrawn(connection))
    )
    return paging.whole([Plan.of(plan, on_sale=plan.code not in withdrawn) for plan in newest])


async def offer(request: Request) -> Response:
    """A new plan, or a new version of one; the same terms again change nothing. A plan that was withdrawn is on sale
    again. Where PLANS_FILE is set, the file alone says what is sold: 409."""
    terms = (await bodies.parse(request, NewPlanBody)).terms()
    operations.check_not_from_file(of(request).settings.plans_file)
    return await idempotent(request, lambda work: Success(201, Plan.of(operations.offer(work, terms), on_sale=True)))


async def withdraw(request: Request) -> Response:
    """Nobody can start the plan or change to it any more. Who has it keeps it, and renews it. Where PLANS_FILE is set,
    the file alone says what is sold: 409."""
    await bodies.parse(request, bodies.Nothing)
    code = request.path_params["code"]
    operations.check_not_from_file(of(request).settings.plans_file)
    return await idempotent(request, lambda work: Success(200, Plan.of(operations.withdraw(work, code), on_sale=False)))
