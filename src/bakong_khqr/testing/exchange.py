"""The requests and the answers of the simulator, without a network."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

_write_text = json.encoder.encode_basestring


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} isn't JSON")


# It is made once, because `json.loads` would make a decoder for each call.
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def read_json(text: bytes) -> Any:
    """Read JSON, with every fraction as a `Decimal`. Raises `ValueError` for anything else, also `NaN`."""
    try:
        return _DECODER.decode(text.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def write_json(value: Any) -> str:
    """Write JSON, with a `Decimal` as a number: `1`, `2.5`. The standard encoder would need a float."""
    if isinstance(value, str):
        return _write_text(value)
    if value is None:
        return "null"
    if isinstance(value, Decimal):
        return write_number(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{_write_text(key)}:{write_json(member)}" for key, member in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([write_json(item) for item in value]) + "]"
    return json.dumps(value)


def write_number(value: Decimal) -> str:
    """Return the shortest plain form of a number, with every digit: `1`, `2.5`, `10000`."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@attrs.frozen(kw_only=True)
class SimulatorRequest:
    """One HTTP request as the simulator sees it. Header names are lower-case."""

    method: str
    """`"POST"` for every endpoint of Bakong."""
    path: str
    """The path on the host: `"/v1/check_transaction_by_md5"`."""
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """The headers by lower-case names. They have the token."""
    body: bytes = b""
    """The body as it was sent."""

    def json(self) -> Any:
        """Return the body as JSON, fractions as `Decimal`. Raises `ValueError` if it isn't JSON."""
        return read_json(self.body)


@attrs.frozen(kw_only=True)
class SimulatorResponse:
    """One HTTP answer, and whether it is late or lost."""

    status: int
    """The HTTP status."""
    body: bytes = attrs.field(default=b"", repr=False)
    """The body. It may have a token."""
    content_type: str = "application/json"
    """The media type of the body."""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """The headers beside the media type."""
    error_code: int | None = None
    """The error code of the envelope, for the log."""
    delay_seconds: float = 0.0
    """How late the answer is. A server waits for so long; in memory it is only compared with the timeout."""
    dropped: bool = False
    """Whether the connection ends before the answer."""

    def json(self) -> Any:
        """Return the body as JSON, fractions as `Decimal`; `ValueError` if it isn't JSON."""
        return read_json(self.body)
