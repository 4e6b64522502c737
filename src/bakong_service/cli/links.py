"""`links`: makes, lists, shows and closes payment links."""

from datetime import timedelta
from functools import partial

from cyclopts import App

from bakong_khqr.money import Currency
from bakong_service import resources
from bakong_service.cli import opening, output
from bakong_service.cli.options import AsJson, Limit, Operator
from bakong_service.domain.link import Sales
from bakong_service.operations.links import reading, selling
from bakong_service.web.http import inputs
from bakong_service.web.http.bodies import typed
from bakong_service.web.http.problems import Problem
from bakong_service.web.http.service import Service
from bakong_service.web.links.links import NewLinkBody, shown

app = App(name="links", help="Make, list, show and close payment links.")

_COLUMNS = (
    "reference",
    "url",
    "state",
    "amount",
    "currency",
    "opened",
    "paid_payments",
    "net_amount",
    "refunded_amount",
)


@app.command
def create(
    *,
    amount: str | None = None,
    currency: Currency | None = None,
    least_amount: str | None = None,
    most_amount: str | None = None,
    plan: str | None = None,
    user_id: str | None = None,
    description: str | None = None,
    max_uses: int | None = None,
    expires_in_days: int | None = None,
    operator: Operator = None,
    json: AsJson = False,
) -> None:
    """Make a link: for an amount, for a plan of a user, or for an amount that the payer enters between two bounds.

    Parameters
    ----------
    amount
        The price in units of the currency, such as 2.50 or 10000.
    least_amount
        The smallest amount that the payer may enter.
    most_amount
        The largest amount that the payer may enter.
    max_uses
        How many payments the link may sell.
    """
    members = {
        "amount": amount,
        "currency": None if currency is None else currency.value,
        "least_amount": least_amount,
        "most_amount": most_amount,
        "plan": plan,
        "user_id": user_id,
        "description": description,
        "max_uses": max_uses,
    }
    given = {name: value for name, value in members.items() if value is not None}

    async def made(service: Service) -> resources.Link:
        now = service.clock.now()
        body = given | ({} if expires_in_days is None else {"expires_at": now + timedelta(days=expires_in_days)})
        if faults := inputs.body_faults(given, NewLinkBody, now):
            opening.fail("; ".join(f"{fault.pointer[1:]}: {fault.message}" for fault in faults))
        try:
            asked = typed(body, NewLinkBody).asked()
        except Problem as problem:
            opening.fail(problem.detail)
        link = await service.run(opening.actor_of(operator), lambda work: selling.create(work, asked))
        if service.settings.public_url is None:
            output.complain("the link has no address until PUBLIC_URL is set to the address of the service")
        return shown(service, link, Sales())

    output.one(opening.run(made), as_json=json)


@app.command(name="list")
def list_(*, limit: Limit = 20, json: AsJson = False) -> None:
    """List the newest links, each with what its payments came to."""

    async def found(service: Service) -> list[resources.Link]:
        rows = await service.executor.read(partial(reading.page, limit=limit), many=True)
        return [shown(service, *row) for row in rows]

    output.many(opening.run(found), _COLUMNS, as_json=json)


@app.command
def show(reference: str, *, json: AsJson = False) -> None:
    """Show a link, with what its payments came to."""

    async def found(service: Service) -> resources.Link:
        return shown(service, *await service.executor.read(lambda connection: reading.record(connection, reference)))

    output.one(opening.run(found), as_json=json)


@app.command
def close(reference: str, *, operator: Operator = None, json: AsJson = False) -> None:
    """Close a link, so that it makes no more payments."""

    async def closed(service: Service) -> resources.Link:
        await service.run(opening.actor_of(operator), lambda work: selling.close(work, reference))
        return shown(service, *await service.executor.read(lambda connection: reading.record(connection, reference)))

    output.one(opening.run(closed), as_json=json)
