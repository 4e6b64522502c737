"""Answers in JSON."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from bakong_service.resources import encode


def json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a resource, or plain values, as an answer in JSON."""
    return encoded(encode(body), status, headers)


def encoded(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON text as an answer."""
    return Response(body, status, headers, media_type="application/json")
