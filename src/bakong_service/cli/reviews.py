"""`reviews`: the queue of money that an operator has to decide about."""

from functools import partial

from cyclopts import App

from bakong_service.cli import opening, output
from bakong_service.cli.options import AsJson, Limit, Operator
from bakong_service.domain.review import Decision
from bakong_service.operations.payments import reviews as operations
from bakong_service.resources import Payment, Review
from bakong_service.storage.payments import reviews

app = App(name="reviews", help="Show the review queue and decide about its items.")


@app.command(name="list")
def list_(*, all: bool = False, limit: Limit = 50, json: AsJson = False) -> None:  # noqa: A002 - the option's name
    """List the review items that wait for a decision, newest first.

    Parameters
    ----------
    all
        Show items that are decided already, too.
    """

    rows = [Review.of(row) for row in opening.read(partial(reviews.page, limit=limit, only_open=not all))]
    output.many(rows, ("reference", "kind", "payment", "details", "opened_at", "action"), as_json=json)


@app.command
def resolve(
    reference: str,
    action: Decision,
    *,
    note: str | None = None,
    operator: Operator = None,
    json: AsJson = False,
) -> None:
    """Decide about a review item. Prints its payment after that.

    Parameters
    ----------
    action
        accept: the money is for this payment. credit: it becomes the user's credit. refunded: you sent it back.
        not_ours: it isn't for this shop.
    note
        For refunded, the reference of the transfer. For not_ours, the reason.
    """
    payment = opening.act(operator, lambda work: operations.resolve(work, reference, action=action, note=note))
    output.one(Payment.of(payment), as_json=json)
