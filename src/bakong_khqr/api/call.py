"""One call to the Bakong Open API as a value: what to send, and how to read the answer. Nothing here talks or waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Generic, Literal, TypeVar

from attrs import field, frozen

T = TypeVar("T")

BearerUse = Literal["required", "if held", "never"]


@frozen(kw_only=True)
class Request:
    """What to send. Every call is a POST of JSON; the client adds host, token and its own headers."""

    path: str
    """From the host's root, such as `"/v1/check_transaction_by_md5"`."""
    body: bytes = field(repr=False)
    """JSON in UTF-8. It may hold an email address, which renews tokens: it is in no repr and no log."""
    bearer: BearerUse = "required"
    """Whether the token goes with it. An endpoint that needs none gets none, since its quota might be charged."""


@frozen(kw_only=True)
class Response:
    """What came back, read to its end (the clients stop at 1 MiB)."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """With lower-case names."""
    body: bytes = field(repr=False)
    received_at: datetime
    """Aware; `retry_at` of the errors is counted from here."""


@frozen(kw_only=True)
class Call(Generic[T]):
    """A request and the function that reads its response: `read` returns the value or raises a `BakongError`."""

    purpose: str
    """The endpoint's name, such as `"check_transaction_by_md5"`: for budgets and logs."""
    request: Request
    read: Callable[[Response], T] = field(repr=False)
    cost: int = 1
    """How many calls of the token's daily quota it may use: 0 where no token is sent."""
    repeatable: bool = True
    """Whether sending it twice does what sending it once does. Only such a call is retried."""
