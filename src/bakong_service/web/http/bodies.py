"""Reads a JSON body or a query into an attrs class. If it breaks a rule, raises a `Problem` that names each place.

msgspec checks types and constraints (`Annotated[str, Meta(max_length=64)]`). This module refuses what msgspec accepts:
unknown and duplicate members, NaN, and strings that databases refuse. Money is a JSON string: a JSON number is refused,
so money is never a float. A fault is one broken rule. Its place is a JSON pointer (`/amount`) in the body, or the name
of a parameter (`?limit`) in the query.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, NoReturn, TypeVar

import attrs
import msgspec
from starlette.requests import ClientDisconnect, Request

from bakong_service.domain.errors import Fault
from bakong_service.web.http import queries
from bakong_service.web.http.problems import Problem, invalid
from bakong_service.web.http.server import BOUNDS
from bakong_service.webhooks.nesting import is_deeper

T = TypeVar("T")

MOST_FAULTS = 20  # the most faults that an answer names: a body within the size limit could have thousands
_TYPES = re.compile("`([^`]+)`")  # msgspec's messages name types in backticks: "Expected `int | null`, got `str`"
_JSON = {"str": "a string", "int": "a whole number", "bool": "true or false", "array": "a list", "object": "an object"}
# If the value is a part of the whole, msgspec appends where it is: "... - at `$.items[0]`".
_AT = re.compile(r"^(?P<rule>.*) - at `\$(?P<path>.*)`$", re.DOTALL)
_Path = tuple["_Path", str | int] | None  # the parent's path, and the name or number in the parent; None: the body


@attrs.frozen
class Nothing:
    """No member and no parameter, for an empty body and a query without filters."""


async def parse(request: Request, shape: type[T]) -> T:
    """Return the body as a `shape`, which is an attrs class.

    Raises a `Problem`: 400 if the client disconnects, 408 if the body is too slow, 413 if it is too large, 415 if its
    Content-Type isn't JSON, and 422 with the faults if it breaks a rule.
    """
    return typed(await members(request), shape)


async def members(request: Request) -> dict[str, Any]:
    """Return the body as a JSON object, after the checks that don't depend on a shape.

    An empty body is an empty object. The object is kept on the request, because `inputs.check` and then the handler
    ask for it. Raises as `parse` does.
    """
    if "members" not in request.scope:
        body = await raw(request)
        request.scope["members"] = _decode(request, body) if body else {}
    found: dict[str, Any] = request.scope["members"]
    return found


async def raw(request: Request) -> bytes:
    """Return the bytes of the body.

    They are kept on the request, because a body can be read from the network only once. Raises a 400, 408 or 413
    `Problem`, as `parse` does.
    """
    if "raw" not in request.scope:
        request.scope["raw"] = await _read(request)
    body: bytes = request.scope["raw"]
    return body


def typed(value: dict[str, Any], shape: type[T]) -> T:
    """Return a JSON object as a `shape`. Raises a 422 `Problem`.

    Members are compared first, because msgspec ignores unknown members.
    """
    if faults := tuple(islice(member_faults(value, shape), MOST_FAULTS)):
        raise invalid(*faults)
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise invalid(fault(error, "")) from error


def query(request: Request, shape: type[T]) -> T:
    """Return the filters of the query as a `shape`. Raises a 422 `Problem` if a value has the wrong type.

    Unknown and repeated parameters are ignored here: `inputs.check` has refused them before the handler runs.
    """
    try:
        if not request.scope["query_string"]:
            kind: Any = shape
            empty: T = _without_filters(kind)
            return empty
        given = queries.values(request.query_params, shape)
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(fault(error, "?")) from error


@cache
def _without_filters(shape: Any) -> Any:
    """Return the filters of an empty query. They are frozen, so one instance serves every request."""
    return msgspec.convert({}, shape)


async def _read(request: Request) -> bytes:
    """Read the body from the network, within the limits of size and time."""
    body = bytearray()
    try:
        async with asyncio.timeout(BOUNDS.body_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BOUNDS.body_bytes:
                    detail = f"the body is larger than {BOUNDS.body_bytes} bytes"
                    raise Problem(status=413, code="body_too_large", detail=detail, headers={"Connection": "close"})
    except TimeoutError as error:
        detail = f"the body didn't arrive within {BOUNDS.body_seconds:.0f} s"
        raise Problem(status=408, code="body_too_slow", detail=detail, headers={"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise Problem(
            status=400, code="disconnected", detail="the client closed the connection before its body was read"
        ) from error
    return bytes(body)


def _decode(request: Request, body: bytes) -> dict[str, Any]:
    """Parse the body, and make the checks that don't depend on a shape. Raises a 415 or 422 `Problem`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        rule = "the body is JSON: Content-Type must be application/json"
        raise Problem(status=415, code="unsupported_media_type", detail=rule)
    # The depth is checked before parsing, because the parser recurses and would fail with an error of its own.
    if is_deeper(body, BOUNDS.depth):
        raise invalid(Fault("", "too_deep", f"the body may have at most {BOUNDS.depth} levels"))
    try:
        value = _decoder.decode(body.decode("utf-8"))
    except ValueError as error:
        raise invalid(Fault("", "invalid_json", f"the body isn't JSON: {error}")) from error
    if not isinstance(value, dict):
        raise invalid(Fault("", "invalid_type", "the body must be a JSON object"))
    if faults := tuple(islice(_texts(value, None), MOST_FAULTS)):
        raise invalid(*faults)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object that the parser read. Raises `ValueError` if a name occurs twice, which `json` would accept."""
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"the member {twice} is there twice")
    return found


def _constant(word: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python's parser accepts although they aren't JSON."""
    raise ValueError(f"{word} isn't a JSON number")


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)  # `loads` would make one each time


def _texts(value: Any, path: "_Path") -> Iterator[Fault]:
    """Yield a fault for each string and name that has NUL or half a surrogate pair, because databases refuse them."""
    if isinstance(value, str):
        if "\0" in value or (not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value)):
            yield Fault(_pointer(path), "invalid_text", "a string must not have NUL or lone surrogates")
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _texts(name, path)
            yield from _texts(member, (path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (path, number))


def _pointer(path: "_Path") -> str:
    """Return the JSON pointer of a path.

    It is built only for a fault. A name may be as long as the body, and a pointer for each value would copy the name.
    """
    steps: list[str] = []
    while path is not None:
        path, step = path
        steps.append(f"/{escaped(str(step))}")
    return "".join(reversed(steps))


def member_faults(value: dict[str, Any], shape: type[Any], pointer: str = "") -> Iterator[Fault]:
    """Yield a fault for each member that the class doesn't have, and for each required member that is missing.

    A member that is an object of a known class is examined in the same way. `pointer` is the place of `value`.
    """
    known = {attribute.name: attribute for attribute in attrs.fields(shape)}
    for name in value.keys() - known.keys():
        rule = f"no such member; the members are {', '.join(known) or 'none'}"
        yield Fault(f"{pointer}/{escaped(name)}", "unknown_member", rule)
    for name, attribute in known.items():
        if name not in value:
            if attribute.default is attrs.NOTHING:
                yield Fault(f"{pointer}/{name}", "required", "must be given")
        elif isinstance(value[name], dict) and attribute.type is not None and attrs.has(attribute.type):
            yield from member_faults(value[name], attribute.type, f"{pointer}/{name}")


def fault(error: msgspec.ValidationError, pointer: str) -> Fault:
    """Return msgspec's error as a fault, with its place as a JSON pointer and JSON's names for Python's types.

    `pointer` is the place of the value that msgspec was given. The error may be deeper within this value.
    """
    found = _AT.match(str(error))
    rule, path = (str(error), "") if found is None else (found["rule"], found["path"])
    # `$.items[0]` becomes `/items/0`. msgspec writes `[...]` for a member without saying its name: leave that step out.
    within = re.sub(r"\.|\[(?=\d)", "/", path.replace("[...]", "")).replace("]", "")
    code = "invalid_type" if re.match(r"Expected `[^`]+`, got", rule) else "invalid_value"
    rule = _TYPES.sub(lambda types: " or ".join(_JSON.get(each, each) for each in types[1].split(" | ")), rule)
    return Fault(pointer + within, code, rule[:1].lower() + rule[1:])


def escaped(name: str) -> str:
    """Return a member's name as JSON pointers write it."""
    return name.replace("~", "~0").replace("/", "~1")
