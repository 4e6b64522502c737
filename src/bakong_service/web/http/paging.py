"""Lists by cursor: no offsets, no totals.

    query = partial(things.page, **asdict(bodies.query(request, ThingFilters)))
    return await paging.listed(request, query, position=lambda row: row.id, shape=resources.Thing.of)

A query returns at most `limit` rows after the position `below` in the list's own order. With `above`, it returns the
rows before that position, and the nearest row is the first. A cursor is the position of an item in one list, signed.
"""

import base64
import hmac
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import Fault
from bakong_service.resources import Listing
from bakong_service.vault import derive
from bakong_service.web.http.answers import json
from bakong_service.web.http.problems import invalid
from bakong_service.web.http.service import of

T = TypeVar("T")

_MOST = 100
_USUAL = 20
LIMIT_RULE = f"a whole number from 1 to {_MOST}, without leading zeros"
_POSITION, _SIGNATURE = 8, 8  # bytes


@frozen(kw_only=True)
class Page:
    """Which part of a list is asked for. At most one of `starting_after` and `ending_before` is set."""

    limit: int
    starting_after: int | None  # a position
    ending_before: int | None

    @property
    def fetch(self) -> int:
        """How many rows to ask the database for: one more than shown tells whether there are more."""
        return self.limit + 1


def page_of(request: Request) -> Page:
    """Return the page that the query asks for. Raises a 422 `Problem`."""
    limit = limit_of(request)
    after, before = cursors(request, _POSITION)
    return Page(
        limit=limit,
        starting_after=None if after is None else int.from_bytes(after, "big"),
        ending_before=None if before is None else int.from_bytes(before, "big"),
    )


def limit_of(request: Request) -> int:
    """Return how many items the query asks for. Raises a 422 `Problem`."""
    limit = request.query_params.get("limit", str(_USUAL))
    if not is_limit(limit):
        raise invalid(Fault("?limit", "invalid_value", LIMIT_RULE))
    return int(limit)


def is_limit(text: str) -> bool:
    """Return whether a text is a number of items that a page can have."""
    return text.isascii() and text.isdigit() and len(text) <= 3 and text[0] != "0" and int(text) <= _MOST


def cursors(request: Request, length: int) -> tuple[bytes | None, bytes | None]:
    """Return what `starting_after` and `ending_before` hold, `length` bytes each; None for one that isn't given.
    Raises a 422 `Problem`."""
    after, before = (_content(request, name, length) for name in ("starting_after", "ending_before"))
    if after is not None and before is not None:
        raise invalid(Fault("?ending_before", "invalid_value", "give starting_after or ending_before, not both"))
    return after, before


def cursor(request: Request, content: bytes) -> str:
    """Return the cursor that holds `content`, signed for the list that the request asks for."""
    return base64.urlsafe_b64encode(content + _signature(request, content)).rstrip(b"=").decode()


def answer(
    request: Request,
    page: Page,
    rows: Sequence[T],
    *,
    position: Callable[[T], int],
    shape: Callable[[T], Any],
) -> Response:
    """Return the page as a `Listing`. Its cursors are the places of the last and of the first item, null if there is
    no item. `has_more` speaks of the direction in which the page was asked for."""
    wanted = list(rows[: page.limit])
    if page.ending_before is not None:
        wanted.reverse()
    return json(
        Listing(
            data=[shape(row) for row in wanted],
            has_more=len(rows) > page.limit,
            next_cursor=cursor(request, position(wanted[-1]).to_bytes(_POSITION, "big")) if wanted else None,
            previous_cursor=cursor(request, position(wanted[0]).to_bytes(_POSITION, "big")) if wanted else None,
        )
    )


def whole(items: Sequence[Any]) -> Response:
    """Answer with a list that isn't paged."""
    return json(Listing.whole(list(items)))


async def listed(
    request: Request,
    query: Callable[..., Sequence[T]],
    *,
    position: Callable[[T], int],
    shape: Callable[[T], Any],
) -> Response:
    """Answer with the page that the request asks for. `query` reads it: `query(connection, limit=, below=, above=)`."""
    page = page_of(request)
    part = {"limit": page.fetch, "below": page.starting_after, "above": page.ending_before}
    rows = await of(request).executor.read(lambda connection: query(connection, **part), many=True)
    return answer(request, page, rows, position=position, shape=shape)


def _content(request: Request, name: str, length: int) -> bytes | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        blob = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        blob = b""
    content, signature = blob[:length], blob[length:]
    if len(content) != length or not hmac.compare_digest(signature, _signature(request, content)):
        raise invalid(Fault(f"?{name}", "invalid_cursor", "take next_cursor from an answer of this very list"))
    return content


@cache
def _key(pepper: bytes) -> bytes:
    return derive(pepper, "cursors")


def _signature(request: Request, content: bytes) -> bytes:
    return hmac.new(_key(of(request).settings.pepper), request.url.path.encode() + b"\0" + content, sha256).digest()[
        :_SIGNATURE
    ]
