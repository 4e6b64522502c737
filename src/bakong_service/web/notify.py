"""`POST /v1/notify/bakong`: somebody who relays bank notices tells that a payment may be paid.

Signed as our own webhooks are (Standard Webhooks, `NOTIFY_SECRET`), at most five minutes old, each taken once. It is a
hint: it makes the watcher look soon, and can't make anything paid.
"""

from typing import Annotated, Any

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service import webhooks
from bakong_service.domain.errors import Fault, NotFound
from bakong_service.operations import notices
from bakong_service.storage import audit
from bakong_service.web import answers, bodies, limits
from bakong_service.web.problems import Problem, invalid
from bakong_service.web.service import of


@frozen(kw_only=True)
class NoticeBody:
    """Which payment: by our reference, or by the MD5 of its QR."""

    reference: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    md5: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None


async def receive(request: Request) -> Response:
    """Take a notice; 202 with when the payment is looked at, 200 where the notice came before."""
    service = of(request)
    secret = service.settings.notify_secret
    if secret is None:
        raise Problem(status=404, code="no_such_route", detail="NOTIFY_SECRET isn't set: no notices are taken")
    await limits.admit(request)
    now = service.clock.now()
    try:
        webhooks.verify(await bodies.raw(request), request.headers, secret.reveal(), now=now)
    except webhooks.InvalidSignature as error:
        await limits.wrong_key(request, "invalid_signature")
        raise Problem(status=401, code="invalid_signature", detail=str(error)) from error
    body = await bodies.parse(request, NoticeBody)
    if (body.reference is None) == (body.md5 is None):
        raise invalid(Fault("/reference", "required", "give reference or md5, one of the two"))
    notice_id = request.headers["webhook-id"]
    try:
        payment = await service.executor.run(
            lambda connection: notices.receive(
                connection, service.business, notice_id, reference=body.reference, md5=body.md5, now=now
            )
        )
    except NotFound:
        await _note_unknown(request, notice_id)
        raise
    if payment is None:
        return answers.json({"object": "notice", "id": notice_id, "duplicate": True})
    told: dict[str, Any] = {"object": "notice", "id": notice_id, "duplicate": False, "payment": payment.reference}
    return answers.json(told, 202)


async def _note_unknown(request: Request, notice_id: str) -> None:
    service = of(request)
    await service.executor.run(
        lambda connection: audit.write(
            connection,
            service.business.identifiers,
            action="notice.unknown_payment",
            actor="notice",
            ip=request.scope["client_ip"],
            details={"notice": notice_id[:64]},
            now=service.clock.now(),
        )
    )
