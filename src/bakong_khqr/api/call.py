"""One call to the Bakong Open API as a value: what to send, and how to read the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Generic, Literal, TypeVar

from attrs import field, frozen

T = TypeVar("T")

BearerUse = Literal["required", "if held", "never"]


@frozen(kw_only=True)
class Request:
    """What to send. Every call is a POST of JSON. The client adds the host, the token and its headers."""

    path: str
    """The path on the host, such as `"/v1/check_transaction_by_md5"`."""
    body: bytes = field(repr=False)
    """JSON in UTF-8. It may have an email address, which renews tokens, so no repr and no log shows it."""
    bearer: BearerUse = "required"
    """Whether the token is sent. An endpoint that needs no token gets none, because it might cost quota."""


@frozen(kw_only=True)
class Response:
    """An answer, read to its end (the clients stop at 1 MiB)."""

    status: int
    """The HTTP status."""
    headers: Mapping[str, str] = field(repr=False)
    """The headers, with lower-case names."""
    body: bytes = field(repr=False)
    """The body, at most 1 MiB."""
    received_at: datetime
    """The time of the answer, aware. The `retry_at` of an error is counted from it."""


@frozen(kw_only=True)
class Call(Generic[T]):
    """A request and the function that reads its response: `read` returns the value or raises a `BakongError`."""

    purpose: str
    """The endpoint's name, such as `"check_transaction_by_md5"`: for budgets and logs."""
    request: Request
    """What to send."""
    read: Callable[[Response], T] = field(repr=False)
    """The function that reads the response: it returns the value, or raises a `BakongError`."""
    cost: int = 1
    """How many calls of the token's daily quota it costs: 0 if no token is sent."""
    repeatable: bool = True
    """Whether sending it twice does the same as sending it once. Only such a call is retried."""
