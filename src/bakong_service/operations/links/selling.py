"""Payment links: make one, close it, and make a payment for a visitor who wants to pay."""

from attrs import asdict

from bakong_service.domain.errors import Conflict, NotFound
from bakong_service.domain.link import (
    OPEN_AT_ONCE,
    Link,
    LinkOver,
    LinkState,
    NewLink,
    amount_of,
    new_code,
    state_of,
)
from bakong_service.domain.money import Money
from bakong_service.domain.payment import NewPayment, Payment
from bakong_service.operations.links.reading import named
from bakong_service.operations.payments import requests
from bakong_service.operations.subscriptions.plans import check_on_sale, unknown
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage import links
from bakong_service.storage.subscriptions import plans


def create(work: UnitOfWork, asked: NewLink) -> Link:
    """Make a link. Raises `Invalid` for an unknown plan, and `Conflict` for a plan that isn't on sale."""
    if asked.plan is not None:
        plan = plans.latest(work.connection, asked.plan)
        if plan is None:
            raise unknown(work, asked.plan)
        check_on_sale(work, plan)
    link = Link(
        id=work.number(),
        reference=work.reference("lnk"),
        code=new_code(work.business.identifiers.random_bits),
        opened=0,
        created_at=work.now,
        **asdict(asked, recurse=False),
    )
    links.add(work.connection, link)
    work.audit("link.created", link.reference, details={"code": link.code})
    return link


def close(work: UnitOfWork, reference: str) -> Link:
    """Close a link: it makes no more payments. Payments that it made stay as they are. Raises `NotFound`."""
    link = named(work.connection, reference)
    if link.closed_at is None:
        links.close(work.connection, link.id, now=work.now)
        work.audit("link.closed", reference)
    return named(work.connection, reference)


def pay(work: UnitOfWork, code: str, *, entered: Money | None) -> Payment:
    """Make a payment for a visitor of a link. `entered` is the amount of a link whose payer chooses it.

    Raises `NotFound`, `LinkOver`, `WrongAmount`, `Conflict` if too many of its payments are open, and what
    `requests.create` raises.
    """
    found = links.by_code(work.connection, code)
    link = found and links.lock(work.connection, found.id)
    if link is None:
        raise NotFound("link_not_found", "there is no such link")
    uses = links.uses_of(work.connection, link.reference)
    state = state_of(link, uses, work.now)
    if state is not LinkState.OPEN:
        raise LinkOver(f"link {link.reference} is {state.value}")
    if uses.open >= OPEN_AT_ONCE:
        raise Conflict("too_many_open_payments", f"link {link.reference} has {OPEN_AT_ONCE} open payments")
    asked = NewPayment(
        user_id=link.user_id,
        plan=link.plan,
        amount=amount_of(link, entered),
        description=link.description,
        metadata=link.metadata,
        link=link.reference,
    )
    return requests.create(work, asked)
