"""`plans`: what is sold, and at which price from now on."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from cyclopts import App

from bakong_khqr.errors import InvalidKHQR
from bakong_khqr.money import Currency, write_amount
from bakong_service.cli import opening, output
from bakong_service.cli.output import AsJson
from bakong_service.cli.payments import actor_of
from bakong_service.domain.money import Money
from bakong_service.domain.plan import PlanTerms
from bakong_service.operations import plans as operations
from bakong_service.operations.subscription_presenting import plan as presented
from bakong_service.storage import plans
from bakong_service.web.service import Service

app = App(name="plans", help="Plans and their prices.")

_COLUMNS = ("code", "version", "name", "amount", "currency", "period_seconds", "created_at")


@app.command(name="list")
def list_(*, json: AsJson = False) -> None:
    """List the newest version of each plan."""

    async def found(service: Service) -> list[dict[str, Any]]:
        return [presented(plan) for plan in await service.executor.read(plans.every_latest)]

    output.many(opening.run(found), _COLUMNS, as_json=json)


@app.command
def offer(
    code: str,
    *,
    name: str,
    amount: str,
    currency: Currency,
    period_days: int = 30,
    operator: str | None = None,
    json: AsJson = False,
) -> None:
    """Sell a plan, or one that exists at another price: a new version, for new subscriptions and renewals.

    Parameters
    ----------
    code
        Such as PREMIUM: A-Z, 0-9 and _.
    amount
        In major units: 0.50 dollars, 2000 riel.
    period_days
        How long one payment lasts. Currency and period of a plan that exists stay what they were.
    operator
        Your name, for the audit; the name you are logged in with, unless given.
    """
    try:
        price = Money.of(Decimal(write_amount(amount, currency) or 0), currency.value)
        terms = PlanTerms(code=code, name=name, price=price, period=timedelta(days=period_days))
    except (InvalidKHQR, ValueError) as error:
        opening.fail(str(error), code=2)

    async def offered(service: Service) -> dict[str, Any]:
        now, actor = service.clock.now(), actor_of(operator)
        return presented(
            await service.executor.run(
                lambda connection: operations.offer(connection, service.business, terms, actor=actor, now=now)
            )
        )

    output.one(opening.run(offered), as_json=json)
