"""The calls that a simulator remembers: the last thousand, and the number for each endpoint."""

from collections import Counter, deque
from typing import Final

import attrs

from bakong_khqr.testing.exchange import SimulatorRequest, SimulatorResponse
from bakong_khqr.testing.faults import Fault, FaultKind

_KEPT: Final = 1000
_BODY_BYTES: Final = 4096
_PATH_CHARACTERS: Final = 200


@attrs.frozen(kw_only=True)
class LoggedRequest:
    """A call in the log: without its token, and with at most 4,096 bytes of its body."""

    at_ms: int
    method: str
    path: str
    body: bytes = attrs.field(repr=False)
    status: int
    error_code: int | None
    fault: FaultKind | None


class RequestLog:
    """Remembers calls within a fixed size."""

    def __init__(self) -> None:
        self.requests: deque[LoggedRequest] = deque(maxlen=_KEPT)
        self.calls: Counter[str] = Counter()

    def add(
        self, endpoint: str, request: SimulatorRequest, response: SimulatorResponse, fault: Fault | None, *, now_ms: int
    ) -> None:
        """Add a call and its answer."""
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
