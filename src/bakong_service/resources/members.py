"""The types of members, how a member says what it means, and how it gets its value."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, TypeVar, get_origin

import attrs
from msgspec import Meta

from bakong_service.domain.event import EVENT_TYPES
from bakong_service.domain.moment import moment

T = TypeVar("T")

Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""What `domain.moment` writes."""
Amount = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]{1,2})?$")]
"""What `domain.money` writes: major units with the currency's own number of decimals."""


def one_of(*values: str) -> Meta:
    """Return what makes a text one of a closed set in the OpenAPI document."""
    return Meta(extra_json_schema={"enum": list(values)})


EventType = Annotated[str, one_of(*EVENT_TYPES)]


def says(meaning: str) -> dict[str, str]:
    """Return the metadata of a member: what the member means, in one sentence or two."""
    return {"meaning": meaning}


def taken(resource: type[T], source: object, **given: Any) -> T:
    """Return a resource with the members that are given, and the others from the fields of the same name.

    A moment is written, a set becomes a sorted list, and a dictionary that is None becomes an empty one.
    """
    kind: Any = resource
    made: T = _maker(kind, tuple(given))(source, **given)
    return made


@cache
def _maker(resource: type[Any], given: tuple[str, ...]) -> Callable[..., Any]:
    """Return the function that makes a resource. It is compiled, because payments are made and read by the thousand."""
    others = [each for each in attrs.fields(resource) if each.name not in given and each.default is attrs.NOTHING]
    members = ", ".join(f"{each.alias}={_TAKEN[_kind(each.type)].format(each.name)}" for each in others)
    names: dict[str, Any] = {"resource": resource, "moment": moment}
    maker: Callable[..., Any] = eval(f"lambda source, **given: resource({members}, **given)", names)  # noqa: S307 - our own names
    return maker


_TAKEN = {Moment: "moment(source.{})", list: "sorted(source.{})", dict: "source.{} or {{}}", None: "source.{}"}


def _kind(of: Any) -> Any:
    return Moment if of in (Moment, Moment | None) else get_origin(of) if get_origin(of) in _TAKEN else None
