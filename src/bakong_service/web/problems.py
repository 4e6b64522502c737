"""What went wrong, as the caller is told it: `application/problem+json` (RFC 9457). Errors become HTTP here alone.

{"type": "/docs#problem-invalid_request", "title": "Unprocessable Content", "status": 422, "detail": "...",
 "code": "invalid_request", "request_id": "...", "timestamp": "...", "retryable": false,
 "errors": [{"pointer": "/amount", "code": "required", "message": "..."}]}
"""

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from attrs import Factory, field, frozen
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import Conflict, Fault, Invalid, NotFound, Refused
from bakong_service.operations.presenting import moment
from bakong_service.storage.executor import DatabaseUnavailable
from bakong_service.web import service as services
from bakong_service.web.answers import encode

log = structlog.get_logger(__name__)

_STATUS = {NotFound: 404, Conflict: 409, Invalid: 422}
_CODES = {404: "no_such_route", 405: "method_not_allowed"}
_DATABASE_RETRY_SECONDS = 2


@frozen(kw_only=True, eq=False)
class Problem(Exception):  # noqa: N818 - the standard's word
    """A refusal by the HTTP room itself. `code` is stable snake_case; `detail` is for people."""

    status: int
    code: str
    detail: str
    faults: tuple[Fault, ...] = ()
    headers: Mapping[str, str] = field(default=Factory(dict))
    retryable: bool = False


def invalid(*faults: Fault) -> Problem:
    """422: what is wrong with a request, place by place."""
    detail = "; ".join(f"{fault.pointer}: {fault.message}" for fault in faults)
    return Problem(status=422, code="invalid_request", detail=detail, faults=faults)


def answer(request: Request, error: Exception) -> Response:
    """The problem document for whatever a handler raised. What nobody foresaw is logged with its stack."""
    return document(request, of(error))


def of(error: Exception) -> Problem:
    """An error as a problem."""
    match error:
        case Problem():
            return error
        case Refused():
            faults = error.faults if isinstance(error, Invalid) else ()
            return Problem(status=_STATUS.get(type(error), 409), code=error.code, detail=error.detail, faults=faults)
        case DatabaseUnavailable():
            log.error("database_unavailable", error=str(error), outcome_unknown=error.outcome_unknown)
            detail = "the database doesn't answer; the same request with the same Idempotency-Key is safe to repeat"
            return _unavailable("database_unavailable", detail, _DATABASE_RETRY_SECONDS)
        case HTTPException():
            code = _CODES.get(error.status_code, "http_error")
            return Problem(status=error.status_code, code=code, detail=error.detail, headers=error.headers or {})
        case _:
            log.error("unforeseen_error", exc_info=error)
            detail = "the service failed; the log has it under this request_id"
            return Problem(status=500, code="internal_error", detail=detail, retryable=True)


def _unavailable(code: str, detail: str, seconds: int) -> Problem:
    return Problem(status=503, code=code, detail=detail, headers={"Retry-After": str(seconds)}, retryable=True)


def document(request: Request, problem: Problem) -> Response:
    """The problem as an answer."""
    body = {
        "type": f"/docs#problem-{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request.scope.get("request_id"),
        "timestamp": moment(services.of(request).clock.now()),
        "retryable": problem.retryable or problem.status == 429,
        "errors": [
            {"pointer": fault.pointer, "code": fault.code, "message": fault.message} for fault in problem.faults
        ],
    }
    return Response(encode(body), problem.status, problem.headers, media_type="application/problem+json")
