"""`plans`: which plans are on sale, and their prices."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

import attrs
from cyclopts import App, Parameter

from bakong_khqr.errors import InvalidKHQR
from bakong_khqr.money import Currency, write_amount
from bakong_service import resources
from bakong_service.cli import opening, output
from bakong_service.cli.options import AsJson, Operator
from bakong_service.domain.cadence import Cadence, StatedCadence
from bakong_service.domain.money import Money
from bakong_service.domain.plan import Plan, PlanTerms
from bakong_service.operations.subscriptions import plans as operations
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.subscriptions import plans
from bakong_service.web.http.service import Service

app = App(name="plans", help="Plans and their prices.")

_COLUMNS = tuple(member.name for member in attrs.fields(resources.Plan) if member.name != "object")


@app.command(name="list")
def list_(*, json: AsJson = False) -> None:
    """List the newest version of each plan, and whether the plan is on sale."""

    async def found(service: Service) -> list[resources.Plan]:
        withdrawn = await service.executor.read(plans.withdrawn)
        newest = await service.executor.read(plans.every_latest)
        return [resources.Plan.of(plan, on_sale=plan.code not in withdrawn) for plan in newest]

    output.many(opening.run(found), _COLUMNS, as_json=json)


@app.command
def offer(
    code: str,
    *,
    name: str,
    amount: str,
    currency: Currency,
    period: Annotated[StatedCadence, Parameter(name="*")] = StatedCadence(),  # noqa: B008 - never changed
    operator: Operator = None,
    json: AsJson = False,
) -> None:
    """Sell a new plan, or a plan at a new price. New subscriptions and renewals have the new price.

    The currency and the period of a plan can't change.

    Parameters
    ----------
    code
        The code of the plan in A-Z, 0-9 and _, such as PREMIUM.
    amount
        The price in units of the currency, such as 0.50 or 2000.
    """
    try:
        price = Money.of(Decimal(write_amount(amount, currency) or 0), currency.value)
        terms = PlanTerms(code=code, name=name, price=price, cadence=Cadence.stated(**period))
    except (InvalidKHQR, ValueError) as error:
        opening.fail(str(error), code=2)

    _change(operator, lambda work: operations.offer(work, terms), on_sale=True, json=json)


@app.command
def withdraw(code: str, *, operator: Operator = None, json: AsJson = False) -> None:
    """Withdraw a plan from sale: nobody can start it or change to it. Users who have it keep it and can renew it.

    `plans offer` puts it on sale again.

    Parameters
    ----------
    code
        The code of the plan, such as PREMIUM.
    """
    _change(operator, lambda work: operations.withdraw(work, code), on_sale=False, json=json)


def _change(operator: str | None, operation: Callable[[UnitOfWork], Plan], *, on_sale: bool, json: bool) -> None:
    async def changed(service: Service) -> resources.Plan:
        operations.check_not_from_file(service.settings.plans_file)
        return resources.Plan.of(await service.run(opening.actor_of(operator), operation), on_sale=on_sale)

    output.one(opening.run(changed), as_json=json)
