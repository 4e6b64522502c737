"""Turns every error into an HTTP answer: a problem document, `application/problem+json` (RFC 9457).

No other module of the API does this. A handler raises an error of the business or a `Problem`, and `answer` returns:

{"type": "/docs#problem-invalid_request", "title": "Unprocessable Content", "status": 422, "detail": "...",
 "code": "invalid_request", "request_id": "...", "timestamp": "...", "retryable": false,
 "errors": [{"pointer": "/amount", "code": "required", "message": "..."}]}
"""

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from attrs import Factory, field, frozen
from msgspec import UNSET, UnsetType
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import Conflict, Fault, Invalid, NotFound, Refused
from bakong_service.domain.moment import moment
from bakong_service.resources import ProblemDocument, ProblemFault, encode
from bakong_service.resources.problem_codes import REPEATABLE
from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.vault import EncryptionKeyMissing
from bakong_service.web.http import service as services

log = structlog.get_logger(__name__)

_STATUS = {NotFound: 404, Conflict: 409, Invalid: 422}
_CODES = {404: "no_such_route", 405: "method_not_allowed"}  # of the errors that Starlette raises by itself
_DATABASE_RETRY_SECONDS = 2
_KEY_RETRY_SECONDS = 2  # a load balancer may then choose a process that has the key
_REPEAT_AFTER = "1"
"""The seconds after which the same request may be sent again when it met another one, or came too slowly."""


@frozen(kw_only=True, eq=False)  # with eq, its hash would need the hash of `headers`, and a dict has none
class Problem(Exception):  # noqa: N818 - the standard's word
    """An answer that isn't a success, raised by the code of the HTTP interface.

    Programs compare `code`, which never changes; people read `detail`.
    """

    status: int
    code: str
    detail: str
    faults: tuple[Fault, ...] = ()  # what is wrong in each place of the request
    headers: Mapping[str, str] = field(default=Factory(dict))
    retryable: bool = False  # whether the same request may succeed later; `document` also says so for some codes
    next_cursor: str | UnsetType | None = UNSET  # where a reader of the feed goes on; UNSET: not in the document


def invalid(*faults: Fault) -> Problem:
    """Return a 422 problem that names each fault of a request with its place."""
    detail = "; ".join(f"{fault.pointer}: {fault.message}" for fault in faults)
    return Problem(status=422, code="invalid_request", detail=detail, faults=faults)


def answer(request: Request, error: Exception) -> Response:
    """Return the problem document for an error that a handler raised."""
    return document(request, of(error))


def of(error: Exception) -> Problem:
    """Return an error as a problem. An error of an unexpected type becomes a 500, and is logged with its stack."""
    match error:
        case Problem():
            return error
        case Refused():
            faults = error.faults if isinstance(error, Invalid) else ()
            # A `Refused` of no narrower class is a conflict: 409.
            return Problem(status=_STATUS.get(type(error), 409), code=error.code, detail=error.detail, faults=faults)
        case DatabaseUnavailable():
            log.error("database_unavailable", error=str(error), outcome_unknown=error.outcome_unknown)
            detail = "the database doesn't answer; the same request with the same Idempotency-Key is safe to repeat"
            return _unavailable("database_unavailable", detail, _DATABASE_RETRY_SECONDS)
        case EncryptionKeyMissing():
            log.error("encryption_key_missing", key_id=error.key_id, error=str(error))
            detail = "this process lacks an encryption key that another process uses; the log names it"
            return _unavailable("encryption_key_missing", detail, _KEY_RETRY_SECONDS)
        case HTTPException():
            code = _CODES.get(error.status_code, "http_error")
            return Problem(status=error.status_code, code=code, detail=error.detail, headers=error.headers or {})
        case _:
            log.error("unforeseen_error", exc_info=error)
            detail = "the service failed; the log has it under this request_id"
            return Problem(status=500, code="internal_error", detail=detail, retryable=True)


def _unavailable(code: str, detail: str, seconds: int) -> Problem:
    """Return a 503 problem that asks the caller to retry after `seconds`."""
    return Problem(status=503, code=code, detail=detail, headers={"Retry-After": str(seconds)}, retryable=True)


def document(request: Request, problem: Problem) -> Response:
    """Return a problem as an HTTP answer."""
    body = ProblemDocument(
        type=f"/docs#problem-{problem.code}",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        request_id=request.scope.get("request_id", ""),
        timestamp=moment(services.of(request).clock.now()),
        retryable=problem.retryable or problem.status == 429 or problem.code in REPEATABLE,
        errors=[ProblemFault.of(fault) for fault in problem.faults],
        next_cursor=problem.next_cursor,
    )
    headers = {"Retry-After": _REPEAT_AFTER, **problem.headers} if problem.code in REPEATABLE else problem.headers
    return Response(encode(body), problem.status, headers, media_type="application/problem+json")
