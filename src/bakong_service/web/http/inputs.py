"""Checks a request against its route before anything is done. All faults are named at once, each with its place.

A place in the body is a JSON pointer (`/amount`), a place in the query is `?limit`, and a header is its name.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import islice
from types import UnionType
from typing import Any, Union, get_args, get_origin

import attrs
import msgspec
from starlette.requests import Request

from bakong_service.domain.errors import Fault
from bakong_service.web.http import bodies, paging, queries
from bakong_service.web.http.problems import invalid
from bakong_service.web.http.service import of

PAGE = ("limit", "starting_after", "ending_before")
LONGEST_KEY = 255
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_MOMENT_RULE = "a date and a time with its zone, as ISO 8601 writes them: 2026-11-01T12:00:00Z"


async def check(request: Request, *, body: type[Any] | None, query: type[Any], paged: bool, keyed: bool) -> None:
    """Check the query, the headers and the body. Raises a 422 `Problem` with every fault.

    If the body isn't a JSON object, this raises as `bodies.members` does.
    """
    faults = list(_query_faults(request, query, paged=paged))
    if keyed:
        faults += key_faults(request)
    if body is not None:
        faults += body_faults(await bodies.members(request), body, of(request).clock.now())
    if faults:
        raise invalid(*faults)


def check_query(request: Request, shape: type[Any], *, paged: bool) -> None:
    """Check only the query. Raises a 422 `Problem` with every fault."""
    if faults := tuple(_query_faults(request, shape, paged=paged)):
        raise invalid(*faults)


def key_faults(request: Request) -> list[Fault]:
    """Return what is wrong with `Idempotency-Key`; nothing if there is no key."""
    given = request.headers.getlist("idempotency-key")
    if len(given) > 1:
        return [Fault("Idempotency-Key", "given_twice", "give one key")]
    rule = f"1 to {LONGEST_KEY} printable ASCII characters"
    good = all(1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable() for key in given)
    return [] if good else [Fault("Idempotency-Key", "invalid_value", rule)]


def body_faults(members: dict[str, Any], shape: type[Any], now: datetime) -> list[Fault]:
    """Return what is wrong with a JSON object.

    These are unknown, missing and wrongly typed members, and what the shape's method `faults` refuses.
    """
    faults = list(islice(bodies.member_faults(members, shape), bodies.MOST_FAULTS))
    wrong = {fault.pointer.split("/")[1] for fault in faults}
    if faults or not _is_typed(members, shape):
        for field in attrs.fields(shape):
            if field.name in members and field.name not in wrong:
                faults += _typed(members[field.name], field.type, f"/{field.name}")
    return faults + _rules(members, shape, {fault.pointer.split("/")[1] for fault in faults}, now)


def _is_typed(members: dict[str, Any], shape: Any) -> bool:
    """Return whether every member has its type: a quick check for good requests. Moments need the full check."""
    if _has_moments(shape):
        return False
    try:
        msgspec.convert(members, shape)
    except msgspec.ValidationError:
        return False
    return True


@cache
def _has_moments(shape: Any) -> bool:
    return any(datetime in set(_alternatives(field.type)) for field in attrs.fields(shape))


def _rules(members: dict[str, Any], shape: type[Any], wrong: set[str], now: datetime) -> list[Fault]:
    """Return what the shape's own rules refuse.

    A rule gets null for a member that has a fault already, and what it says about such a member is dropped.
    """
    rules = getattr(shape, "faults", None)
    if rules is None:
        return []
    known = {field.name: field.default for field in attrs.fields(shape)}
    values = {name: None if default is attrs.NOTHING else default for name, default in known.items()}
    values |= {name: value for name, value in members.items() if name in known and name not in wrong}
    return [fault for fault in rules(values, now) if fault.pointer.split("/")[1] not in wrong]


def _query_faults(request: Request, shape: type[Any], *, paged: bool) -> Iterator[Fault]:
    given = request.query_params.multi_items() if request.scope["query_string"] else []
    names = [name for name, _ in given]
    for field in attrs.fields(shape):
        if field.default is attrs.NOTHING and queries.parameter(field) not in names:
            yield Fault(f"?{queries.parameter(field)}", "required", "must be given")
    if not given:
        return
    fields = {name: found for name in names if (found := queries.field_of(name, shape)) is not None}
    yield from _name_faults(names, fields, shape, paged=paged)
    limit = dict(given).get("limit")
    if paged and limit is not None and names.count("limit") == 1 and not paging.is_limit(limit):
        yield Fault("?limit", "invalid_value", paging.LIMIT_RULE)
    for name, text in given:
        if name in fields and names.count(name) == 1:
            kind = queries.value_type(fields[name]) or fields[name].type
            yield from _typed(text, kind, f"?{name}", is_text=True)


def _name_faults(names: list[str], fields: dict[str, Any], shape: type[Any], *, paged: bool) -> Iterator[Fault]:
    """Yield the names that are unknown, that are given twice, or that are too many."""
    maps = [field for field in attrs.fields(shape) if queries.is_map(field)]
    for field in maps:
        if sum(each is field for each in fields.values()) > queries.MOST_NAMED:
            yield Fault(f"?{queries.parameter(field)}", "too_many", f"at most {queries.MOST_NAMED} names")
    known = [
        *(queries.parameter(field) + ("[name]" if field in maps else "") for field in attrs.fields(shape)),
        *(PAGE if paged else ()),
    ]
    for name in dict.fromkeys(names):
        if name not in fields and not (paged and name in PAGE):
            rule = f"no such parameter; the parameters are {', '.join(sorted(known)) or 'none'}"
            yield Fault(f"?{name}", "unknown_parameter", rule)
        elif names.count(name) > 1:
            yield Fault(f"?{name}", "given_twice", "give it once")


def _typed(value: Any, kind: Any, pointer: str, *, is_text: bool = False) -> Iterator[Fault]:
    """Yield what is wrong with one value, or with each item of a list or an object."""
    types = {get_origin(each) or each for each in _alternatives(kind)}
    if datetime in types and isinstance(value, str) and not _MOMENT.fullmatch(value):
        yield Fault(pointer, "invalid_value", _MOMENT_RULE)
        return
    try:
        msgspec.convert(value, kind, strict=not (is_text and types & {int, bool}))
    except msgspec.ValidationError as error:
        found = list(_items(value, kind, pointer))
        yield from found or [bodies.fault(error, pointer)]


def _items(value: Any, kind: Any, pointer: str) -> Iterator[Fault]:
    for each in _alternatives(kind):
        if get_origin(each) is list and isinstance(value, list):
            for number, item in enumerate(value[:100]):
                yield from _typed(item, get_args(each)[0], f"{pointer}/{number}")
        elif get_origin(each) is dict and isinstance(value, dict):
            for name, item in list(value.items())[:100]:
                yield from _typed(item, get_args(each)[1], f"{pointer}/{bodies.escaped(name)}")


def _alternatives(kind: Any) -> Iterator[Any]:
    """Yield the types that a member may have, without their annotations."""
    if hasattr(kind, "__metadata__"):
        yield from _alternatives(kind.__origin__)
    elif get_origin(kind) in {Union, UnionType}:
        for each in get_args(kind):
            yield from _alternatives(each)
    else:
        yield kind
