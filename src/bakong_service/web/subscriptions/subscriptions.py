"""Subscriptions over HTTP: read until when a user is entitled, and upgrade, downgrade, cancel, resume or renew."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from attrs import asdict, frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service import resources
from bakong_service.domain.payment import Payment
from bakong_service.domain.subscription import Status, Subscription
from bakong_service.operations.subscriptions import cancelling, plan_changes, reading, renewing
from bakong_service.operations.subscriptions.recording import resource
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.web.http import answers, bodies, entity_tags, paging
from bakong_service.web.http.auth import act
from bakong_service.web.http.idempotency import Success, idempotent
from bakong_service.web.http.service import of
from bakong_service.web.payments import payments

PlanCode = Annotated[str, Meta(min_length=1, max_length=32)]
At = Literal["period_end", "now"]


@frozen(kw_only=True)
class UpgradeBody:
    """The dearer plan. With `preview`, the answer only says what the upgrade would cost."""

    plan: PlanCode
    preview: bool = False


@frozen(kw_only=True)
class DowngradeBody:
    """The cheaper plan, and whether it begins with the next unpaid period or now. A `preview` changes nothing."""

    plan: PlanCode
    at: At = "period_end"
    preview: bool = False


@frozen(kw_only=True)
class CancelSubscriptionBody:
    """The user's reason, and whether the subscription ends with the paid time or now. A `preview` changes nothing."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    at: At = "period_end"
    preview: bool = False


@frozen(kw_only=True)
class SubscriptionFilters:
    """Which subscriptions to list. One is listed if it meets every filter that is given."""

    user_id: payments.UserId | None = None
    status: Status | None = None
    plan: PlanCode | None = None
    period_end_from: Annotated[datetime, Meta(tz=True)] | None = None
    period_end_until: Annotated[datetime, Meta(tz=True)] | None = None  # exclusive


async def of_user(request: Request) -> Response:
    """Read a user's newest subscription as it is at this moment. Serve the user before the moment `entitled_until`."""
    return await _current(request, reading.newest_of, request.path_params["user_id"])


async def read(request: Request) -> Response:
    """Read one subscription as it is at this moment."""
    return await _current(request, reading.named, request.path_params["reference"])


async def index(request: Request) -> Response:
    """List subscriptions, newest first, as they are stored.

    If a change of a subscription has just fallen due, the list may not show it yet. Reading that subscription shows it.
    """
    query = partial(reading.page, **asdict(bodies.query(request, SubscriptionFilters)))
    return await paging.listed(request, query, position=lambda row: row[0], shape=lambda row: row[1])


async def changes(request: Request) -> Response:
    """List every change of a subscription with its reason and its actor, newest first."""
    bodies.query(request, bodies.Nothing)
    query = partial(reading.changes, reference=request.path_params["reference"])
    return await paging.listed(request, query, position=lambda row: row.version, shape=resources.Change.of)


async def upgrade(request: Request) -> Response:
    """Quote an upgrade, and make the payment for it. The plan changes when the payment is paid.

    If there is nothing to charge, the plan changes at once, and the answer is 200 without a payment. With `preview`,
    the answer only says what the upgrade would cost.
    """
    body, reference = await bodies.parse(request, UpgradeBody), request.path_params["reference"]
    if body.preview:  # a preview stores nothing, so a repeated request needs no idempotency key
        return answers.json(await act(request, lambda work: plan_changes.preview_upgrade(work, reference, body.plan)))

    def operation(work: UnitOfWork) -> Success:
        upgraded = plan_changes.upgrade(work, reference, body.plan)
        shown = resources.Upgrade(
            quote=upgraded.quote,
            subscription=resource(work.connection, upgraded.subscription),
            payment=_with_qr(request, upgraded.payment),
        )
        return Success(201 if upgraded.payment else 200, shown)

    return await idempotent(request, operation)


async def downgrade(request: Request) -> Response:
    """Change to a cheaper plan. With `at: period_end` the new plan begins with the next unpaid period.

    With `at: now` the plan changes at once, and the user gets credit for the difference.
    """
    body, reference = await bodies.parse(request, DowngradeBody), request.path_params["reference"]
    plan, at_once = body.plan, body.at == "now"
    if body.preview:
        return answers.json(
            await act(request, lambda work: plan_changes.preview_downgrade(work, reference, plan, at_once=at_once))
        )
    return await _changed(request, lambda work: plan_changes.downgrade(work, reference, plan, at_once=at_once))


async def cancel(request: Request) -> Response:
    """Cancel a subscription, at the end of the paid time or now. The answer is the subscription."""
    body, reference = await bodies.parse(request, CancelSubscriptionBody), request.path_params["reference"]
    at_once = body.at == "now"
    if body.preview:
        return answers.json(await act(request, lambda work: cancelling.preview(work, reference, at_once=at_once)))
    return await _changed(request, lambda work: cancelling.cancel(work, reference, at_once=at_once, reason=body.reason))


async def resume(request: Request) -> Response:
    """Take a cancellation back. The answer is the subscription, which is active again."""
    await bodies.parse(request, bodies.Nothing)
    return await _changed(request, lambda work: cancelling.resume(work, request.path_params["reference"]))


async def renew(request: Request) -> Response:
    """Make the payment for the next period. If the user's credit pays for it, the answer is 200 without a payment."""
    await bodies.parse(request, bodies.Nothing)

    def operation(work: UnitOfWork) -> Success:
        renewed = renewing.renew(work, request.path_params["reference"])
        shown = resources.Renewal(
            subscription=resource(work.connection, renewed.subscription), payment=_with_qr(request, renewed.payment)
        )
        return Success(201 if renewed.payment else 200, shown)

    return await idempotent(request, operation)


async def _changed(request: Request, change: Callable[[UnitOfWork], Subscription]) -> Response:
    """Make a change, and answer with the subscription. For one idempotency key the change is made only once."""
    return await idempotent(request, lambda work: Success(200, resource(work.connection, change(work))))


def _with_qr(request: Request, payment: Payment | None) -> resources.PaymentWithQR | None:
    """Return a payment with its QR; None for no payment."""
    return None if payment is None else payments.with_qr(of(request), payment)


async def _current(request: Request, find: Callable[[Any, str], Subscription], name: str) -> Response:
    """Answer with a subscription as it is at this moment. `name` is what `find` looks for: a reference or a user's id.

    Mostly this only reads. If something is due, `shown` is None: then the due change is written first.
    """
    service, now = of(request), of(request).clock.now()
    found, shown = await service.executor.read(
        lambda connection: reading.at_once(connection, find(connection, name), now)
    )
    if shown is None:
        shown = await act(request, lambda work: resource(work.connection, renewing.look_at(work, found.id)))
    return entity_tags.answer(request, shown, tag=entity_tags.of(shown))
