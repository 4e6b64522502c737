"""Answers in JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

_encoder = msgspec.json.Encoder()


def encode(body: Any) -> bytes:
    """A JSON text of plain values: dictionaries, lists, texts, whole numbers, booleans, None."""
    return _encoder.encode(body)


def json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(encode(body), status, headers, media_type="application/json")
