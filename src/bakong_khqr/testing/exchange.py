"""What goes into the simulator and what comes out, without a network."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

_write_text = json.encoder.encode_basestring


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} isn't JSON")


# Made once: `json.loads` makes one a call where it is told how to read fractions.
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def read_json(text: bytes) -> Any:
    """Read JSON, every fraction as a `Decimal`. `ValueError` for anything else, `NaN` and too deep nesting included."""
    try:
        return _DECODER.decode(text.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def write_json(value: Any) -> str:
    """Write JSON, a `Decimal` as the number it is: `1`, `2.5`. The standard encoder can't without a float."""
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
    """The shortest plain form of a number, every digit kept: `1`, `2.5`, `10000`."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@attrs.frozen(kw_only=True)
class Request:
    """One HTTP request as the simulator sees it. Header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)  # holds the token
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON, fractions as `Decimal`; `ValueError` if it isn't JSON."""
        return read_json(self.body)


@attrs.frozen(kw_only=True)
class Response:
    """One HTTP answer, and how it travels: late, or not at all."""

    status: int
    body: bytes = attrs.field(default=b"", repr=False)  # may hold a token
    content_type: str = "application/json"
    headers: Mapping[str, str] = attrs.field(factory=dict)
    error_code: int | None = None
    """The envelope's error code, so that the log needn't read the body."""
    delay_seconds: float = 0.0
    """How long the answer is under way. The edge that sends it waits; in memory it is only held against the timeout."""
    dropped: bool = False
    """The connection ends before a byte of the answer."""

    def json(self) -> Any:
        """The body as JSON, fractions as `Decimal`; `ValueError` if it isn't JSON."""
        return read_json(self.body)
