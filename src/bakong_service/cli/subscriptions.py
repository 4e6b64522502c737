"""`subscriptions`: look at them, and do for a user what the main backend would."""

from collections.abc import Callable
from typing import Any

from cyclopts import App
from sqlalchemy import Connection

from bakong_service.cli import opening, output
from bakong_service.cli.output import AsJson
from bakong_service.cli.payments import actor_of
from bakong_service.domain.errors import NotFound
from bakong_service.domain.subscription import Status, Subscription
from bakong_service.operations import cancelling, plan_changes, presenting, renewing
from bakong_service.operations.subscription_recording import present
from bakong_service.storage import history, subscriptions
from bakong_service.web.payment_records import change
from bakong_service.web.service import Service

app = App(name="subscriptions", help="Look at subscriptions; renew, change, cancel, resume them.")

_COLUMNS = ("reference", "user_id", "status", "plan", "entitled_until", "scheduled_plan")
_CHANGES = ("version", "old_status", "new_status", "reason", "actor", "event_type", "at")


@app.command
def show(reference: str, *, json: AsJson = False) -> None:
    """Show a subscription with its history.

    Parameters
    ----------
    reference
        A reference (sub_...) or a user's id: their newest one.
    """

    def query(connection: Connection) -> dict[str, Any]:
        found = subscriptions.by_reference(connection, reference) or subscriptions.last_of(connection, reference)
        if found is None:
            raise NotFound("no_such_subscription", f"there is no subscription {reference}, and no user with one")
        changes = [change(row) for row in history.of_subscription(connection, found.id)]
        return present(connection, found) | {"history": changes}

    async def read(service: Service) -> dict[str, Any]:
        return await service.executor.read(query)

    shown = opening.run(read)
    if json:
        output.one(shown, as_json=True)
        return
    changes = shown.pop("history")
    output.one(shown, as_json=False)
    output.many(changes, _CHANGES, as_json=False)


@app.command(name="list")
def list_(
    *,
    status: Status | None = None,
    plan: str | None = None,
    user_id: str | None = None,
    limit: int = 50,
    json: AsJson = False,
) -> None:
    """List subscriptions, newest first.

    Parameters
    ----------
    limit
        At most so many.
    """

    def query(connection: Connection) -> list[dict[str, Any]]:
        rows = subscriptions.page(connection, limit=limit, status=status, plan=plan, user_id=user_id)
        return [present(connection, row) for row in rows]

    async def read(service: Service) -> list[dict[str, Any]]:
        return await service.executor.read(query, many=True)

    output.many(opening.run(read), _COLUMNS, as_json=json)


@app.command
def renew(reference: str, *, operator: str | None = None, json: AsJson = False) -> None:
    """Make a renewal's payment. It isn't renewed by this: KHQR can't pull money, the user has to pay the QR.

    Parameters
    ----------
    operator
        Your name, for the history; the name you are logged in with, unless given.
    """

    def operation(connection: Connection, service: Service, by: dict[str, Any]) -> dict[str, Any]:
        renewed = renewing.renew(connection, service.business, reference, **by)
        if renewed.payment is None:
            return present(connection, renewed.subscription)
        return presenting.payment(renewed.payment)

    _act(operation, operator, json=json)


@app.command
def downgrade(
    reference: str, plan: str, *, now: bool = False, operator: str | None = None, json: AsJson = False
) -> None:
    """Change to a cheaper plan at the period's end, or now with credit.

    Parameters
    ----------
    now
        At once; the user gets credit for what is paid too much.
    operator
        Your name, for the history; the name you are logged in with, unless given.
    """
    _change(
        lambda connection, service, by: plan_changes.downgrade(
            connection, service.business, reference, plan, at_once=now, **by
        ),
        operator,
        json=json,
    )


@app.command
def cancel(
    reference: str,
    *,
    reason: str | None = None,
    now: bool = False,
    operator: str | None = None,
    json: AsJson = False,
) -> None:
    """Cancel a subscription at the end of what is paid, or now. Nothing is paid back by this.

    Parameters
    ----------
    reason
        The user's, for the history.
    now
        At once.
    operator
        Your name, for the history; the name you are logged in with, unless given.
    """
    _change(
        lambda connection, service, by: cancelling.cancel(
            connection, service.business, reference, at_once=now, reason=reason, **by
        ),
        operator,
        json=json,
    )


@app.command
def resume(reference: str, *, operator: str | None = None, json: AsJson = False) -> None:
    """Take a cancelling back, before the subscription is over.

    Parameters
    ----------
    operator
        Your name, for the history; the name you are logged in with, unless given.
    """
    _change(
        lambda connection, service, by: cancelling.resume(connection, service.business, reference, **by),
        operator,
        json=json,
    )


def _change(
    operation: Callable[[Connection, Service, dict[str, Any]], Subscription], operator: str | None, *, json: bool
) -> None:
    _act(lambda connection, service, by: present(connection, operation(connection, service, by)), operator, json=json)


def _act(
    operation: Callable[[Connection, Service, dict[str, Any]], dict[str, Any]], operator: str | None, *, json: bool
) -> None:
    async def done(service: Service) -> dict[str, Any]:
        by = {"actor": actor_of(operator), "now": service.clock.now()}
        return await service.executor.run(lambda connection: operation(connection, service, by))

    output.one(opening.run(done), as_json=json)
