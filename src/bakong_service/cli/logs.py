"""Writes structured logs, one event in a line, and hides secrets and payers in them."""

import logging
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bakong_service.alerts import counted

_HIDDEN = "********"
_SECRET_NAME = re.compile(
    r"authorization|secret|token|password|pepper|api_?key$|encryption|^qr$|payload|from_account|signature",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"bks_(?:live|test)_\w+"  # an API key
    r"|whsec_[A-Za-z0-9+/=]+"
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]+"  # a JWT
    r"|000201[0-9A-Za-z]{2}\S{20,}"  # a KHQR payload
    r"|(?<=Bearer )\S+"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user and password within a URL
)


def configure(level: str, log_format: str) -> None:
    """Send all logs, also those of libraries, to standard error in one form."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[
            counted,  # also what the level of the log leaves out
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        # A line that the level leaves out costs nothing. Errors are counted at any level.
        wrapper_class=structlog.make_filtering_bound_logger(min(logging.getLevelNamesMapping()[level], logging.ERROR)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    last: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if log_format == "text":
        last = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
        )
    )
    # No line says where in the code it was written, nor in which thread, so that needn't be found out for each.
    logging._srcfile = None  # noqa: SLF001 - as the documentation of logging says, under "Optimization"
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "alembic", "sqlalchemy.engine", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide secrets: members with a secret's name at any depth, and texts that look like a secret."""
    return {name: _clean(name, value) for name, value in event.items()}


def _clean(name: str, value: Any) -> Any:
    if name and not isinstance(value, bool | int | float | None) and _is_secret(name):
        return _HIDDEN
    if isinstance(value, str):
        return _SECRET_TEXT.sub(_HIDDEN, value)
    if isinstance(value, Mapping):
        return {key: _clean(str(key), member) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", member) for member in value]
    return value


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None
