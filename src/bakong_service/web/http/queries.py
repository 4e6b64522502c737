"""Which parameter of a URL is which field of a route's class of parameters.

A field is its parameter, except that `from_` is the parameter `from` (Python keeps that word for itself), and that a
field of texts by name, such as `metadata`, is one parameter for each name: `metadata[order]=7`.
"""

import re
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

import attrs

MOST_NAMED = 5
"""How many names of one map a query may ask for."""

_NAMED = re.compile(r"([a-z_]+)\[([^\[\]]{1,40})\]")


def parameter(field: Any) -> str:
    """Return the name of a field's parameter. Of a map it is the name before the bracket."""
    return str(field.name.rstrip("_"))


def is_map(field: Any) -> bool:
    """Return whether a field is a map of texts by name."""
    return value_type(field) is not None


def value_type(field: Any) -> Any:
    """Return the type of a map's values; None if the field is no map."""
    kinds = get_args(field.type) if get_origin(field.type) in {Union, UnionType} else (field.type,)
    return next((get_args(kind)[1] for kind in kinds if get_origin(kind) is dict), None)


def field_of(name: str, shape: type[Any]) -> Any:
    """Return the field that a parameter belongs to; None if there is none."""
    named = _NAMED.fullmatch(name)
    for field in attrs.fields(shape):
        wanted = name if named is None or not is_map(field) else named[1]
        if parameter(field) == wanted and is_map(field) == (named is not None):
            return field
    return None


def values(given: Mapping[str, str], shape: type[Any]) -> dict[str, Any]:
    """Return the texts of a query by field, a map's in one dictionary. Others are left out."""
    found: dict[str, Any] = {}
    for name, text in given.items():
        field = field_of(name, shape)
        if field is None:
            continue
        if is_map(field):
            found.setdefault(field.name, {})[name[len(parameter(field)) + 1 : -1]] = text
        else:
            found[field.name] = text
    return found
