"""`reviews`: the queue of money that a person has to decide about."""

from typing import Any, Literal

from cyclopts import App

from bakong_service.cli import opening, output
from bakong_service.cli.output import AsJson
from bakong_service.cli.payments import actor_of
from bakong_service.operations import presenting
from bakong_service.operations import reviews as operations
from bakong_service.storage import reviews
from bakong_service.web.reviews import shown
from bakong_service.web.service import Service

app = App(name="reviews", help="Look at the review queue and decide.")


@app.command(name="list")
def list_(*, all: bool = False, limit: int = 50, json: AsJson = False) -> None:  # noqa: A002 - the option's name
    """List what is to be decided, newest first.

    Parameters
    ----------
    all
        What is decided already, too.
    limit
        At most so many.
    """

    async def found(service: Service) -> list[dict[str, Any]]:
        rows = await service.executor.read(
            lambda connection: reviews.page(connection, limit=limit, only_open=not all), many=True
        )
        return [shown(row) for row in rows]

    columns = ("reference", "kind", "payment", "details", "opened_at", "action")
    output.many(opening.run(found), columns, as_json=json)


@app.command
def resolve(
    reference: str,
    action: Literal["accept", "credit", "refunded", "not_ours"],
    *,
    note: str | None = None,
    operator: str | None = None,
    json: AsJson = False,
) -> None:
    """Decide about an item; prints its payment as it then stands.

    Parameters
    ----------
    action
        accept: it is the payment. credit: it goes to the user's credit. refunded: it was sent back. not_ours.
    note
        For refunded the transfer's reference, for not_ours why.
    operator
        Your name, for the history; the name you are logged in with, unless given.
    """

    async def decided(service: Service) -> dict[str, Any]:
        payment = await service.executor.run(
            lambda connection: operations.resolve(
                connection,
                service.business,
                reference,
                action=action,
                operator=actor_of(operator),
                note=note,
                now=service.clock.now(),
            )
        )
        return presenting.payment(payment)

    output.one(opening.run(decided), as_json=json)
