"""Lists by cursor: no offsets, no totals.

    page = paging.page_of(request)
    rows = await service.executor.read(lambda connection: thing.page(connection, limit=page.fetch, ...), many=True)
    return paging.answer(request, page, rows, position=lambda row: row.id, shape=presenting.thing)

A query answers at most `fetch` rows beyond `starting_after` in the list's own order; with `ending_before`, those before
it, from it backwards. A cursor is opaque: the position of an item in one list, signed.
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
from bakong_service.vault import derive
from bakong_service.web.answers import json
from bakong_service.web.problems import invalid
from bakong_service.web.service import of

T = TypeVar("T")

_MOST = 100
_USUAL = 20
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
    """The page that the query asks for. Raises a 422 `Problem`."""
    limit = request.query_params.get("limit", str(_USUAL))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:4]) <= _MOST):
        raise invalid(Fault("?limit", "invalid_value", f"a whole number from 1 to {_MOST}"))
    after, before = (_position(request, name) for name in ("starting_after", "ending_before"))
    if after is not None and before is not None:
        raise invalid(Fault("?ending_before", "invalid_value", "give starting_after or ending_before, not both"))
    return Page(limit=int(limit), starting_after=after, ending_before=before)


def answer(
    request: Request,
    page: Page,
    rows: Sequence[T],
    *,
    position: Callable[[T], int],
    shape: Callable[[T], dict[str, Any]],
) -> Response:
    """`{object: "list", data, has_more, next_cursor}`; `next_cursor` is the last item's place, null without any."""
    shown = list(rows[: page.limit])
    if page.ending_before is not None:
        shown.reverse()
    return json(
        {
            "object": "list",
            "data": [shape(row) for row in shown],
            "has_more": len(rows) > page.limit,
            "next_cursor": _cursor(request, position(shown[-1])) if shown else None,
        }
    )


def _cursor(request: Request, position: int) -> str:
    number = position.to_bytes(_POSITION, "big")
    return base64.urlsafe_b64encode(number + _signature(request, number)).rstrip(b"=").decode()


def _position(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        blob = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        blob = b""
    number, signature = blob[:_POSITION], blob[_POSITION:]
    if len(number) != _POSITION or not hmac.compare_digest(signature, _signature(request, number)):
        raise invalid(Fault(f"?{name}", "invalid_cursor", "take next_cursor from an answer of this very list"))
    return int.from_bytes(number, "big")


@cache
def _key(pepper: bytes) -> bytes:
    return derive(pepper, "cursors")


def _signature(request: Request, number: bytes) -> bytes:
    return hmac.new(_key(of(request).settings.pepper), request.url.path.encode() + b"\0" + number, sha256).digest()[
        :_SIGNATURE
    ]
