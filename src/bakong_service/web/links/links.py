"""Payment links over HTTP, for the main backend: make one, read it with its sales, draw its QR, close it."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_khqr import images
from bakong_service.domain.errors import Conflict, Fault
from bakong_service.domain.link import Link as StoredLink
from bakong_service.domain.link import NewLink, Sales, state_of
from bakong_service.operations.links import reading, selling
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.resources import Link
from bakong_service.web.http import answers, bodies, paging
from bakong_service.web.http.idempotency import Success, idempotent
from bakong_service.web.http.problems import invalid
from bakong_service.web.http.service import Service, of
from bakong_service.web.payments.payments import UserId, Word, money, money_faults

_MOST_USES = 1_000_000


@frozen(kw_only=True)
class NewLinkBody:
    """What the link sells: a fixed `amount`, a `plan` for a user, or an amount that the payer enters within bounds."""

    amount: Annotated[str, Meta(max_length=32)] | None = None
    currency: Annotated[str, Meta(max_length=3)] | None = None
    least_amount: Annotated[str, Meta(max_length=32)] | None = None
    most_amount: Annotated[str, Meta(max_length=32)] | None = None
    plan: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    user_id: UserId | None = None
    description: Annotated[str, Meta(max_length=500)] | None = None
    metadata: Annotated[dict[Annotated[str, Meta(max_length=40)], Word], Meta(max_length=20)] | None = None
    max_uses: Annotated[int, Meta(ge=1, le=_MOST_USES)] | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None

    @staticmethod
    def faults(given: Mapping[str, Any], now: datetime) -> list[Fault]:
        """Return the faults of members that don't go together. Each member has been checked by itself before.

        `given` has every member, with None for one that is missing or has a fault. Every body class gets `now`, but no
        rule of a link needs it.
        """
        del now
        currency = given["currency"]
        faults: list[Fault] = []
        for name in ("amount", "least_amount", "most_amount"):
            # `money_faults` calls every amount `/amount`, so name the member here. A bad currency is found three times:
            # keep that fault once.
            found = money_faults({"amount": given[name], "currency": currency})
            faults += [Fault(f"/{name}", each.code, each.message) for each in found if each.pointer == "/amount"]
            faults += [each for each in found if each.pointer != "/amount" and each not in faults]
        ways = [given["amount"] is not None, given["plan"] is not None, given["least_amount"] is not None]
        if sum(ways) != 1:
            faults.append(Fault("/amount", "required", "give one of `amount`, `plan` and `least_amount`"))
        if (given["least_amount"] is None) != (given["most_amount"] is None):
            faults.append(Fault("/most_amount", "required", "give `least_amount` and `most_amount` together"))
        if currency is None and not ways[1]:
            faults.append(Fault("/currency", "required", "must be given with an amount"))
        if ways[1] and given["user_id"] is None:
            faults.append(Fault("/user_id", "required", "must be given with `plan`: whose subscription is it"))
        return faults

    def asked(self) -> NewLink:
        """Return the body as the operation expects it. Raises a 422 `Problem` if the bounds are in the wrong order."""
        least, most = money(self.least_amount, self.currency), money(self.most_amount, self.currency)
        if least is not None and most is not None and most.minor < least.minor:
            raise invalid(Fault("/most_amount", "invalid_value", "must be at least `least_amount`"))
        return NewLink(
            amount=money(self.amount, self.currency),
            least=least,
            most=most,
            plan=self.plan,
            user_id=self.user_id,
            description=self.description,
            metadata=self.metadata,
            max_uses=self.max_uses,
            expires_at=self.expires_at,
        )


async def create(request: Request) -> Response:
    """Make a link. The answer is 201, and `url` is the address of the link. `url` is null without `PUBLIC_URL`."""
    service = of(request)
    asked = (await bodies.parse(request, NewLinkBody)).asked()

    def operation(work: UnitOfWork) -> Success:
        return Success(201, shown(service, selling.create(work, asked), Sales()))

    return await idempotent(request, operation)


async def index(request: Request) -> Response:
    """List links, newest first, each with the number and the sum of its payments."""
    service = of(request)
    return await paging.listed(
        request, reading.page, position=lambda row: row[0].id, shape=lambda row: shown(service, *row)
    )


async def read(request: Request) -> Response:
    """Read one link, with the number and the sum of its payments."""
    service, reference = of(request), request.path_params["reference"]
    found = await service.executor.read(lambda connection: reading.record(connection, reference))
    return answers.json(shown(service, *found))


async def close(request: Request) -> Response:
    """Close a link, so that it makes no more payments. The payments that it has made can still be paid."""
    await bodies.parse(request, bodies.Nothing)
    service, reference = of(request), request.path_params["reference"]

    def operation(work: UnitOfWork) -> Success:
        link = selling.close(work, reference)
        return Success(200, shown(service, *reading.with_sales(work.connection, link)))

    return await idempotent(request, operation)


async def qr_png(request: Request) -> Response:
    """Draw the link's address as a plain QR symbol, as a PNG, to be printed on a sign.

    It isn't a KHQR. A phone's camera opens it, and a bank app doesn't.
    """
    return await _picture(request, images.png, "image/png")


async def qr_svg(request: Request) -> Response:
    """Draw the link's address as a plain QR symbol, as an SVG. It isn't a KHQR."""
    return await _picture(request, images.svg, "image/svg+xml")


async def _picture(request: Request, draw: Callable[[str], bytes | str], media_type: str) -> Response:
    """Answer with the picture that `draw` makes of the link's address. Raises `Conflict` without `PUBLIC_URL`."""
    service, reference = of(request), request.path_params["reference"]
    link = await service.executor.read(lambda connection: reading.named(connection, reference))
    url = url_of(service, link)
    if url is None:
        raise Conflict("no_public_url", "PUBLIC_URL isn't set, so the link has no address")
    return Response(await asyncio.to_thread(draw, url), media_type=media_type)


def url_of(service: Service, link: StoredLink) -> str | None:
    """Return the address of a link; None without `PUBLIC_URL`."""
    public = service.settings.public_url
    return None if public is None else f"{public}/l/{link.code}"


def shown(service: Service, link: StoredLink, sales: Sales) -> Link:
    """Return a stored link in the form in which the HTTP interface and the commands show it."""
    state = state_of(link, sales.uses, service.clock.now())
    return Link.of(link, sales, state=state, url=url_of(service, link))
