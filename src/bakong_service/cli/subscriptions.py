"""`subscriptions`: show subscriptions, and do for a user what the main backend does."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from cyclopts import App, Parameter

from bakong_khqr.money import Currency
from bakong_service import resources
from bakong_service.cli import opening, output
from bakong_service.cli.options import AsJson, Limit, Operator
from bakong_service.domain.payment import Payment
from bakong_service.domain.subscription import Status, Subscription
from bakong_service.operations.ledger import credit as operations
from bakong_service.operations.subscriptions import cancelling, plan_changes, reading, renewing
from bakong_service.operations.subscriptions.recording import resource
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.web.http.problems import Problem
from bakong_service.web.subscriptions.credit import CreditBody

app = App(name="subscriptions", help="Show, renew, change, cancel and resume subscriptions.")

_COLUMNS = ("reference", "user_id", "status", "plan", "entitled_until", "scheduled_plan")
_CHANGES = ("version", "old_status", "new_status", "reason", "actor", "event_type", "at")
Asked = resources.Subscription | resources.Payment


@app.command
def show(reference: str, *, json: AsJson = False) -> None:
    """Show a subscription with its history.

    Parameters
    ----------
    reference
        The reference (sub_...) of a subscription, or a user's id for the user's newest subscription.
    """

    found, changes = opening.read(lambda connection: reading.record(connection, reference))
    shown = {**resources.plain(found), "history": [resources.Change.of(row) for row in changes]}
    output.one(shown, as_json=json, tables={"history": _CHANGES})


@app.command(name="list")
def list_(
    *,
    status: Status | None = None,
    plan: str | None = None,
    user_id: str | None = None,
    limit: Limit = 50,
    json: AsJson = False,
) -> None:
    """List subscriptions, newest first."""

    query = partial(reading.page, limit=limit, status=status, plan=plan, user_id=user_id)
    output.many([found for _, found in opening.read(query)], _COLUMNS, as_json=json)


@app.command
def renew(reference: str, *, operator: Operator = None, json: AsJson = False) -> None:
    """Make the payment for a renewal. The user has to pay its QR, because KHQR can't pull money."""

    def operation(work: UnitOfWork) -> Asked:
        renewed = renewing.renew(work, reference)
        return _asked(work, renewed.subscription, renewed.payment)

    output.one(opening.act(operator, operation), as_json=json)


@app.command
def credit(
    user_id: str,
    amount: Annotated[str, Parameter(allow_leading_hyphen=True)],
    currency: Currency,
    *,
    reason: str,
    operator: Operator = None,
    json: AsJson = False,
) -> None:
    """Give credit to a user, or remove credit with an amount below zero.

    Parameters
    ----------
    amount
        The amount in units of the currency: 2.50 gives credit, and -2.50 removes it.
    reason
        The reason, for the audit log.
    """
    try:
        money = CreditBody(amount=amount, currency=currency, reason=reason).money()
    except Problem as refused:
        opening.fail(f"AMOUNT: {refused.faults[0].message}", code=2)
    granted = opening.act(operator, lambda work: operations.grant(work, user_id, money, reason=reason))
    output.one(granted, as_json=json)


@app.command
def upgrade(
    reference: str, plan: str, *, preview: bool = False, operator: Operator = None, json: AsJson = False
) -> None:
    """Make the payment for a dearer plan. If there is nothing to pay, change the plan at once.

    Parameters
    ----------
    preview
        Only print the price, and what would move where.
    """

    def operation(work: UnitOfWork) -> Asked | resources.UpgradePreview:
        if preview:
            return plan_changes.preview_upgrade(work, reference, plan)
        upgraded = plan_changes.upgrade(work, reference, plan)
        return _asked(work, upgraded.subscription, upgraded.payment)

    output.one(opening.act(operator, operation), as_json=json)


@app.command
def downgrade(
    reference: str,
    plan: str,
    *,
    now: bool = False,
    preview: bool = False,
    operator: Operator = None,
    json: AsJson = False,
) -> None:
    """Change to a cheaper plan at the end of the period, or now with credit.

    Parameters
    ----------
    now
        Change at once. The user gets credit for the difference.
    preview
        Only print what would move where.
    """
    if preview:
        moved = opening.act(operator, lambda work: plan_changes.preview_downgrade(work, reference, plan, at_once=now))
        output.one(moved, as_json=json)
        return
    _change(operator, lambda work: plan_changes.downgrade(work, reference, plan, at_once=now), json=json)


@app.command
def cancel(
    reference: str,
    *,
    reason: str | None = None,
    now: bool = False,
    preview: bool = False,
    operator: Operator = None,
    json: AsJson = False,
) -> None:
    """Cancel a subscription at the end of its paid time, or now. This sends no money back.

    Parameters
    ----------
    reason
        The user's reason, for the history.
    now
        Cancel at once. The value that isn't served yet is lost.
    preview
        Only print how much value would be lost, and until when the user would be served.
    """
    if preview:
        lost = opening.act(operator, lambda work: cancelling.preview(work, reference, at_once=now))
        output.one(lost, as_json=json)
        return
    _change(operator, lambda work: cancelling.cancel(work, reference, at_once=now, reason=reason), json=json)


@app.command
def resume(reference: str, *, operator: Operator = None, json: AsJson = False) -> None:
    """Undo a cancellation before the subscription ends."""
    _change(operator, lambda work: cancelling.resume(work, reference), json=json)


def _change(operator: str | None, operation: Callable[[UnitOfWork], Subscription], *, json: bool) -> None:
    output.one(opening.act(operator, lambda work: resource(work.connection, operation(work))), as_json=json)


def _asked(work: UnitOfWork, subscription: Subscription, payment: Payment | None) -> Asked:
    """Return the payment that the user has to pay, or the subscription if there is nothing to pay."""
    return resource(work.connection, subscription) if payment is None else resources.Payment.of(payment)
