"""The calls a simulator remembers: the last thousand, and how many there were of each endpoint."""

from collections import Counter, deque
from typing import Final

import attrs

from bakong_khqr.testing.exchange import Request, Response
from bakong_khqr.testing.faults import Fault, FaultKind

_KEPT: Final = 1000
_BODY_BYTES: Final = 4096
_PATH_CHARACTERS: Final = 200


@attrs.frozen(kw_only=True)
class LoggedRequest:
    """A call as it is remembered: never its token, at most 4,096 bytes of its body."""

    at_ms: int
    method: str
    path: str
    body: bytes = attrs.field(repr=False)
    status: int
    error_code: int | None
    fault: FaultKind | None


class RequestLog:
    """Remembers calls in a bounded space."""

    def __init__(self) -> None:
        self.requests: deque[LoggedRequest] = deque(maxlen=_KEPT)
        self.calls: Counter[str] = Counter()

    def add(self, endpoint: str, request: Request, response: Response, fault: Fault | None, *, now_ms: int) -> None:
        """Remember a call and what it got."""
        self.calls[endpoint] += 1
        self.requests.append(
            LoggedRequest(
                at_ms=now_ms,
                method=request.method,
                path=request.path[:_PATH_CHARACTERS],
                body=request.body[:_BODY_BYTES],
                status=response.status,
                error_code=response.error_code,
                fault=None if fault is None else fault.kind,
            )
        )
