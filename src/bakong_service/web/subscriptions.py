"""Subscriptions over HTTP: until when a user is entitled, and what is to change."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from attrs import frozen
from msgspec import Meta
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import NotFound
from bakong_service.domain.lifecycle import due_by
from bakong_service.domain.payment import Payment
from bakong_service.domain.subscription import Status, Subscription
from bakong_service.operations import cancelling, plan_changes, renewing
from bakong_service.operations.subscription_recording import present
from bakong_service.storage import history, subscriptions
from bakong_service.web import answers, bodies, paging, payments
from bakong_service.web.auth import caller
from bakong_service.web.idempotency import Answer, idempotent
from bakong_service.web.payment_records import change
from bakong_service.web.service import Service, of

PlanCode = Annotated[str, Meta(min_length=1, max_length=32)]
At = Literal["period_end", "now"]


@frozen(kw_only=True)
class UpgradeBody:
    """The dearer plan; with `preview` only its price is told."""

    plan: PlanCode
    preview: bool = False


@frozen(kw_only=True)
class DowngradeBody:
    """The cheaper plan, and whether it comes with the next period or now, with credit."""

    plan: PlanCode
    at: At = "period_end"


@frozen(kw_only=True)
class CancelBody:
    """The user's reason, and whether to stop at the end of what is paid or now."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    at: At = "period_end"


@frozen(kw_only=True)
class SubscriptionFilters:
    """Which subscriptions."""

    user_id: payments.UserId | None = None
    status: Status | None = None
    plan: PlanCode | None = None


async def of_user(request: Request) -> Response:
    """The user's newest subscription as it stands now: `entitled_until` says whether to serve them."""
    user_id = request.path_params["user_id"]
    return await _current(
        request, lambda c: subscriptions.last_of(c, user_id), f"the user {user_id[:64]} has no subscription"
    )


async def read(request: Request) -> Response:
    """One subscription as it stands now."""
    reference = request.path_params["reference"]
    return await _current(
        request, lambda c: subscriptions.by_reference(c, reference), f"there is no subscription {reference[:64]}"
    )


async def index(request: Request) -> Response:
    """Subscriptions, newest first, as the clock left them."""
    page = paging.page_of(request)
    wanted = bodies.query(request, SubscriptionFilters)

    def query(connection: Connection) -> list[tuple[int, dict[str, Any]]]:
        found = subscriptions.page(
            connection,
            limit=page.fetch,
            before=page.starting_after,
            after=page.ending_before,
            user_id=wanted.user_id,
            status=wanted.status,
            plan=wanted.plan,
        )
        return [(subscription.id, present(connection, subscription)) for subscription in found]

    rows = await of(request).executor.read(query, many=True)
    return paging.answer(request, page, rows, position=lambda row: row[0], shape=lambda row: row[1])


async def changes(request: Request) -> Response:
    """Every change of a subscription with its reason and actor, newest first."""
    page = paging.page_of(request)
    bodies.query(request, bodies.Nothing)
    reference = request.path_params["reference"]

    def query(connection: Connection) -> list[history.Change]:
        subscription = subscriptions.by_reference(connection, reference)
        if subscription is None:
            raise NotFound("no_such_subscription", f"there is no subscription {reference[:64]}")
        return history.of_subscription(
            connection, subscription.id, before=page.starting_after, after=page.ending_before, limit=page.fetch
        )

    rows = await of(request).executor.read(query, many=True)
    return paging.answer(request, page, rows, position=lambda row: row.version, shape=change)


async def upgrade(request: Request) -> Response:
    """A quote and the payment to be paid; nothing to charge: the plan at once. With `preview` only the price."""
    body = await bodies.parse(request, UpgradeBody)
    order = _order(request)

    if body.preview:  # only told, so there is nothing to keep under a key
        quote = await order.service.executor.run(
            lambda connection: plan_changes.preview_upgrade(
                connection, order.service.business, order.reference, body.plan, now=order.now
            )
        )
        return answers.json(quote.as_json())

    def operation(connection: Connection) -> Answer:
        upgraded = plan_changes.upgrade(
            connection, order.service.business, order.reference, body.plan, actor=order.actor, now=order.now
        )
        asked = _asked(connection, order.service, upgraded.subscription, upgraded.payment)
        return Answer(201 if upgraded.payment else 200, {"quote": upgraded.quote.as_json(), **asked})

    return await idempotent(request, operation)


async def downgrade(request: Request) -> Response:
    """The subscription with its scheduled plan, or with the cheaper one and its credit."""
    body = await bodies.parse(request, DowngradeBody)
    order = _order(request)

    def operation(connection: Connection) -> Answer:
        after = plan_changes.downgrade(
            connection,
            order.service.business,
            order.reference,
            body.plan,
            at_once=body.at == "now",
            actor=order.actor,
            now=order.now,
        )
        return Answer(200, present(connection, after))

    return await idempotent(request, operation)


async def cancel(request: Request) -> Response:
    """The subscription, cancelled."""
    body = await bodies.parse(request, CancelBody)
    order = _order(request)

    def operation(connection: Connection) -> Answer:
        after = cancelling.cancel(
            connection,
            order.service.business,
            order.reference,
            at_once=body.at == "now",
            reason=body.reason,
            actor=order.actor,
            now=order.now,
        )
        return Answer(200, present(connection, after))

    return await idempotent(request, operation)


async def resume(request: Request) -> Response:
    """The subscription, active again."""
    await bodies.parse(request, bodies.Nothing)
    order = _order(request)

    def operation(connection: Connection) -> Answer:
        after = cancelling.resume(connection, order.service.business, order.reference, actor=order.actor, now=order.now)
        return Answer(200, present(connection, after))

    return await idempotent(request, operation)


async def renew(request: Request) -> Response:
    """The payment for the next period; 200 without one where the user's credit paid for it."""
    await bodies.parse(request, bodies.Nothing)
    order = _order(request)

    def operation(connection: Connection) -> Answer:
        renewed = renewing.renew(connection, order.service.business, order.reference, actor=order.actor, now=order.now)
        body = _asked(connection, order.service, renewed.subscription, renewed.payment)
        return Answer(201 if renewed.payment else 200, body)

    return await idempotent(request, operation)


@frozen(kw_only=True)
class _Order:
    service: Service
    reference: str
    actor: str
    now: datetime


def _order(request: Request) -> _Order:
    service = of(request)
    return _Order(
        service=service,
        reference=request.path_params["reference"],
        actor=caller(request).actor,
        now=service.clock.now(),
    )


def _asked(
    connection: Connection, service: Service, subscription: Subscription, payment: Payment | None
) -> dict[str, Any]:
    return {
        "subscription": present(connection, subscription),
        "payment": None if payment is None else payments.shown(service, payment),
    }


async def _current(request: Request, find: Callable[[Connection], Subscription | None], missing: str) -> Response:
    """A subscription as it stands at this moment. Mostly a read; what is due by now is written first."""
    service, now = of(request), of(request).clock.now()

    def query(connection: Connection) -> tuple[int, dict[str, Any] | None]:
        found = find(connection)
        if found is None:
            raise NotFound("no_such_subscription", missing)
        if due_by(found, now) or renewing.is_to_be_prepared(connection, found, now):
            return found.id, None
        return found.id, present(connection, found)

    subscription_id, shown = await service.executor.read(query)
    if shown is None:

        def operation(connection: Connection) -> dict[str, Any]:
            after = renewing.look_at(connection, service.business, subscription_id, now=now)
            return present(connection, after)

        shown = await service.executor.run(operation)
    return answers.json(shown)
