"""A request's JSON body or query into an attrs class, or a problem that points at each place and says the rule.

msgspec checks types and constraints (`Annotated[str, Meta(max_length=64)]`). What it lets pass is closed here: unknown
and duplicate members, missing members without a place, NaN, texts that no database takes. Money enters as text: a JSON
number in a `str` field is refused, so no float is ever made of it.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

import attrs
import msgspec
from starlette.requests import ClientDisconnect, Request

from bakong_service.domain.errors import Fault
from bakong_service.web.problems import Problem, invalid

T = TypeVar("T")

MAX_BYTES = 64 * 1024
DEADLINE_SECONDS = 10.0
_DEPTH = 100
_AT = re.compile(r"^(?P<rule>.*) - at `\$(?P<path>.*)`$", re.DOTALL)
_PAGE = {"limit", "starting_after", "ending_before", "wait"}


@attrs.frozen
class Nothing:
    """No member and no parameter: for a body that says nothing and a query without filters."""


async def parse(request: Request, shape: type[T]) -> T:
    """The body as a `shape`. Raises `Problem`: 408, 413, 415, or 422 with a fault for each place that is wrong."""
    return typed(await members(request), shape)


async def members(request: Request) -> dict[str, Any]:
    """The body's JSON object, checked for what is wrong in any shape; no body is an empty one. Read once, and kept."""
    if not hasattr(request.state, "members"):
        body = await raw(request)
        request.state.members = _decode(request, body) if body else {}
    found: dict[str, Any] = request.state.members
    return found


async def raw(request: Request) -> bytes:
    """The body as it came, read once under the limits of size and time."""
    if not hasattr(request.state, "raw"):
        request.state.raw = await _read(request)
    body: bytes = request.state.raw
    return body


def typed(value: dict[str, Any], shape: type[T]) -> T:
    """A JSON object as a `shape`."""
    if faults := tuple(_members(value, shape, "")):
        raise invalid(*faults)
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise invalid(_fault(error, prefix="")) from error


def query(request: Request, shape: type[T]) -> T:
    """The query's filters as a `shape`, of texts and whole numbers. An unknown name is refused: a filter that is
    misspelt would show everything."""
    given = {name: value for name, value in request.query_params.items() if name not in _PAGE}
    known = {attribute.name for attribute in attrs.fields(shape)}  # type: ignore[arg-type]  # every shape is attrs
    if unknown := sorted(given.keys() - known):
        rule = f"no such parameter; there are {', '.join(sorted(known)) or 'none'}"
        raise invalid(*(Fault(f"?{name}", "unknown_parameter", rule) for name in unknown))
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(_fault(error, prefix="?")) from error


async def _read(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BYTES:
                    detail = f"the body is larger than {MAX_BYTES} bytes"
                    raise Problem(status=413, code="body_too_large", detail=detail, headers={"Connection": "close"})
    except TimeoutError as error:
        detail = f"the body didn't arrive within {DEADLINE_SECONDS:.0f} s"
        raise Problem(status=408, code="body_too_slow", detail=detail, headers={"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise Problem(status=400, code="disconnected", detail="the client left before its body was read") from error
    return bytes(body)


def _decode(request: Request, body: bytes) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        rule = "the body is JSON: Content-Type must be application/json"
        raise Problem(status=415, code="unsupported_media_type", detail=rule)
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        detail = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise invalid(Fault("", "invalid_json", f"the body isn't JSON: {detail}")) from error
    if not isinstance(value, dict):
        raise invalid(Fault("", "invalid_type", "the body must be a JSON object"))
    if faults := tuple(_texts(value, "", _DEPTH)):
        raise invalid(*faults)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {twice!r} is there twice")
    return found


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} isn't a JSON number")


def _texts(value: Any, pointer: str, depth: int) -> Iterator[Fault]:
    """Texts with NUL or half a surrogate pair, which no database keeps; nesting past 100 levels."""
    if depth == 0:
        yield Fault(pointer, "too_deep", f"at most {_DEPTH} levels")
    elif isinstance(value, str):
        if "\0" in value or (not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value)):
            yield Fault(pointer, "invalid_text", "NUL and lone surrogates have no place in a text")
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _texts(name, pointer, depth)
            yield from _texts(member, f"{pointer}/{_escaped(name)}", depth - 1)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, f"{pointer}/{number}", depth - 1)


def _members(value: dict[str, Any], shape: type[Any], pointer: str) -> Iterator[Fault]:
    """Members of a JSON object that its attrs class doesn't have, and required ones that it lacks."""
    known = {attribute.name: attribute for attribute in attrs.fields(shape)}
    for name in value.keys() - known.keys():
        rule = f"no such member; there are {', '.join(known) or 'none'}"
        yield Fault(f"{pointer}/{_escaped(name)}", "unknown_member", rule)
    for name, attribute in known.items():
        if name not in value:
            if attribute.default is attrs.NOTHING:
                yield Fault(f"{pointer}/{name}", "required", "must be given")
        elif isinstance(value[name], dict) and attribute.type is not None and attrs.has(attribute.type):
            yield from _members(value[name], attribute.type, f"{pointer}/{name}")


def _fault(error: msgspec.ValidationError, prefix: str) -> Fault:
    found = _AT.match(str(error))
    rule, path = (str(error), "") if found is None else (found["rule"], found["path"])
    pointer = re.sub(r"\.|\[(?=\d)", "/", path.replace("[...]", "")).replace("]", "")
    if prefix:
        pointer = prefix + pointer.lstrip("/")
    code = "invalid_type" if re.match(r"Expected `[^`]+`, got", rule) else "invalid_value"
    return Fault(pointer, code, rule[:1].lower() + rule[1:])


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
