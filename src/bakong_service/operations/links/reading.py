"""What callers read about payment links: each link with what its payments came to."""

from typing import Any

from sqlalchemy import Connection

from bakong_service.domain.errors import NotFound
from bakong_service.domain.link import Link, Sales, Uses
from bakong_service.storage import links


def page(connection: Connection, **part: Any) -> list[tuple[Link, Sales]]:
    """Return the page of `links.page`, each link with its sales."""
    return [with_sales(connection, link) for link in links.page(connection, **part)]


def named(connection: Connection, reference: str) -> Link:
    """Return a link by its reference. Raises `NotFound`."""
    link = links.by_reference(connection, reference)
    if link is None:
        raise NotFound("link_not_found", f"there is no link {reference[:64]}")
    return link


def record(connection: Connection, reference: str) -> tuple[Link, Sales]:
    """Return a link by its reference, with its sales. Raises `NotFound`."""
    return with_sales(connection, named(connection, reference))


def visited(connection: Connection, code: str) -> tuple[Link, Uses]:
    """Return a link by the code in its address, with its uses. Raises `NotFound`."""
    link = links.by_code(connection, code.lower())
    if link is None:
        raise NotFound("link_not_found", "there is no such link")
    return link, links.uses_of(connection, link.reference)


def with_sales(connection: Connection, link: Link) -> tuple[Link, Sales]:
    """Return a link with its sales."""
    return link, links.sales_of(connection, link.reference)
