"""Resources as JSON. msgspec reads a class once and writes its instances in C, a member after the other."""

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


def encode(body: Any) -> bytes:
    """Return a JSON text of resources and plain values: dictionaries, lists, texts, whole numbers, booleans, None."""
    return _encoder.encode(body)


def plain(resource: Any) -> Any:
    """Return resources as plain values, such as the JSON columns of the database and the command line take."""
    return msgspec.to_builtins(resource)
