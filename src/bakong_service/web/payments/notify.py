"""`POST /v1/notify/bakong`: somebody who relays bank notices tells that a payment may be paid.

Signed as our own webhooks are (Standard Webhooks, `NOTIFY_SECRET`), at most five minutes old, each taken once. It is a
hint: it makes the watcher look soon, and can't make anything paid.
"""

from typing import Annotated

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service import webhooks
from bakong_service.domain.errors import Fault, NotFound
from bakong_service.domain.watching import is_hinted
from bakong_service.operations.payments import notices
from bakong_service.resources import Notice
from bakong_service.web.http import answers, bodies, limits
from bakong_service.web.http.problems import Problem, invalid
from bakong_service.web.http.service import of


@frozen(kw_only=True)
class NoticeBody:
    """Which payment: by our reference, or by the MD5 of its QR."""

    reference: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    md5: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None


async def receive(request: Request) -> Response:
    """Take a notice: 202 where the payment is looked at because of it, 200 where the notice came before, or where the
    payment takes no hint now."""
    service = of(request)
    secret = service.settings.notify_secret
    if secret is None:
        raise Problem(status=404, code="no_such_route", detail="NOTIFY_SECRET isn't set: no notices are taken")
    await limits.enter_without_key(request)
    now = service.clock.now()
    try:
        webhooks.verify(await bodies.raw(request), request.headers, secret.reveal(), now=now)
    except webhooks.InvalidSignature as error:
        await limits.wrong_key(request, "invalid_signature")
        raise Problem(status=401, code="invalid_signature", detail=str(error)) from error
    notice_id = request.headers["webhook-id"]
    try:
        body = await _parsed(request)
        payment = await service.run(
            "notice",
            lambda work: notices.receive(work, notice_id, reference=body.reference, md5=body.md5),
            ip=request.scope["client_ip"],
        )
    except NotFound:
        await _record(request, "notice.unknown_payment", notice_id)
        raise
    except Problem:
        await _record(request, "notice.not_understood", notice_id)
        raise
    if payment is None:
        return answers.json(Notice(id=notice_id, duplicate=True))
    told = Notice(id=notice_id, duplicate=False, payment=payment.reference)
    return answers.json(told, 202 if is_hinted(payment) else 200)


async def _parsed(request: Request) -> NoticeBody:
    """Return what a signed notice says. Raises a `Problem` if it doesn't name one payment."""
    body = await bodies.parse(request, NoticeBody)
    if (body.reference is None) == (body.md5 is None):
        raise invalid(Fault("/reference", "required", "give reference or md5, one of the two"))
    return body


async def _record(request: Request, action: str, notice_id: str) -> None:
    """Write a signed notice that names no payment to the audit log."""
    await of(request).run(
        "notice",
        lambda work: work.audit(action, details={"notice": notice_id[:64]}),
        ip=request.scope["client_ip"],
    )
