"""The named schemas of the OpenAPI document: one component for each class of a body and of a resource.

A schema's name is its class's. A request refuses members that it doesn't know; an answer may get more members later.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

import attrs
import msgspec

from bakong_service import resources
from bakong_service.domain.event import EVENT_TYPES
from bakong_service.resources import FAMILIES, Event, Family, Listing, ProblemDocument
from bakong_service.web.http.route import Route
from bakong_service.web.http.vocabulary import of_member

_PREFIX = "#/components/schemas/"
_TEMPLATE = _PREFIX + "{name}"
_NAMES = {
    "Status": "SubscriptionStatus",
    "Flag": "PaymentFlag",
    "Mode": "WatchMode",
    "ProblemDocument": "Problem",
    "Nothing": "NoMembers",
}
"""Names that say too little outside their module, or that are Python's."""


def components(routes: Iterable[Route]) -> dict[str, Any]:
    """Return every schema by name. Raises `ValueError` if two classes have one name."""
    routes = tuple(routes)
    bodies = {route.body.__name__: route.body for route in routes if route.body}
    answers = [answer for route in routes for answer in (route.answer, *route.also.values())]
    found = _described(bodies, _resources(answers))
    event, listing = found.pop("Event"), found.pop("Listing")
    renamed = {_NAMES.get(name, name): _renamed(schema) for name, schema in found.items()}
    return dict(sorted((renamed | _lists(answers, listing) | _events(event)).items()))


def reference(shape: type[Any]) -> dict[str, str]:
    """Return the reference to a shape's component."""
    return {"$ref": _TEMPLATE.format(name=_NAMES.get(shape.__name__, shape.__name__))}


def of_event(kind: str) -> dict[str, str]:
    """Return the reference to the shape of a type of events."""
    return next({"$ref": _TEMPLATE.format(name=family.name)} for family in FAMILIES if kind in family.types)


def of_answer(answer: Any) -> dict[str, Any]:
    """Return the schema of what a route answers with."""
    if get_origin(answer) is list:
        return {"$ref": _TEMPLATE.format(name=_list_name(get_args(answer)[0]))}
    if alternatives := get_args(answer):
        return {"anyOf": [reference(each) for each in alternatives]}
    return {"type": "object", "additionalProperties": True} if answer is dict else reference(answer)


def of_parameter(field: Any) -> dict[str, Any]:
    """Return the schema of a query parameter: what may be null there may be left out."""
    (schema,), found = msgspec.json.schema_components([field.type], ref_template=_TEMPLATE)
    if "anyOf" in schema:
        (schema,) = [each for each in schema["anyOf"] if each.get("type") != "null"]
    if "$ref" in schema:  # a closed set of texts: few parameters share one, so it stands where it is used
        schema = {"type": "string", "enum": found[schema["$ref"].removeprefix(_PREFIX)]["enum"]}
    if field.default is not attrs.NOTHING and field.default is not None:
        schema["default"] = field.default
    return dict(schema)


def _resources(answers: Iterable[Any]) -> dict[str, type[Any]]:
    """Return every class of an answer by its name, and those that stand in no answer by themselves."""
    shown = {shape.__name__: shape for answer in answers for shape in _shapes(answer)}
    return shown | {
        shape.__name__: shape for shape in (ProblemDocument, Event, Listing, *(each.data for each in FAMILIES))
    }


def _described(bodies: Mapping[str, type[Any]], shown: Mapping[str, type[Any]]) -> dict[str, Any]:
    """Return the schemas of bodies and resources, and of the classes inside them, with what each member means."""
    _, found = msgspec.json.schema_components(
        [shape for _, shape in sorted({**bodies, **shown}.items())], ref_template=_TEMPLATE
    )
    if strangers := [name for name in found if "." in name]:
        raise ValueError(f"two shapes have one name: {strangers}")
    for name, schema in found.items():
        schema.pop("title", None)
        if name in bodies:
            _describe_body(name, schema)
        elif "properties" in schema:
            _describe(schema, getattr(resources, name))
    return found


def _lists(answers: Iterable[Any], listing: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of each list that a route answers with, by its name."""
    lists = {}
    for item in _items(answers):
        data = {**listing["properties"]["data"], "items": reference(item)}
        lists[_list_name(item)] = _with(listing, listing["description"], data=data)
    return lists


def _events(event: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an event of each family, and `Event`, which is one of them: its `type` says which."""
    return {family.name: _of_family(event, family) for family in FAMILIES} | {
        "Event": {
            "description": Event.__doc__,
            "oneOf": [{"$ref": _TEMPLATE.format(name=family.name)} for family in FAMILIES],
            "discriminator": {
                "propertyName": "type",
                "mapping": {kind: of_event(kind)["$ref"] for kind in EVENT_TYPES},
            },
        }
    }


def _shapes(answer: Any) -> Iterator[type[Any]]:
    if answer is None or isinstance(answer, str) or answer is dict:
        return
    if alternatives := get_args(answer):
        for each in alternatives:
            yield from _shapes(each)
    else:
        yield answer


def _items(answers: Iterable[Any]) -> set[type[Any]]:
    return {get_args(answer)[0] for answer in answers if get_origin(answer) is list}


def _describe_body(name: str, schema: dict[str, Any]) -> None:
    for member, of in schema["properties"].items():
        default = of.pop("default", None)  # generators demand a member that has one
        told = f" {_written(default)} if it is left out." if default is not None else ""
        of["description"] = of_member(name, member) + told
    schema["additionalProperties"] = False


def _describe(schema: dict[str, Any], resource: type[Any]) -> None:
    fields, properties = attrs.fields_dict(resource), schema["properties"]
    schema["properties"] = {name: properties[name] for name in fields}
    schema["required"] = [name for name, field in fields.items() if field.default is not msgspec.UNSET]
    for name, of in schema["properties"].items():
        of.pop("default", None)
        of["description"] = fields[name].metadata.get("meaning", "What this is.")


def _of_family(event: dict[str, Any], family: Family) -> dict[str, Any]:
    kind = {**event["properties"]["type"], "enum": list(family.types)}
    data = reference(family.data) | {"description": f"The {family.subject} after the change."}
    subject = f"{'an' if family.subject == 'endpoint' else 'a'} {family.subject}"
    about = f"An event of {subject}. `data` is the {family.subject} after the change."
    return _with(event, about, type=kind, data=data)


def _with(schema: dict[str, Any], description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "description": description, "properties": {**schema["properties"], **properties}}


def _written(value: Any) -> str:
    return f"`{resources.encode(value).decode()}`"


def _renamed(value: Any) -> Any:
    """Return the same schema with the components' own names in its references."""
    if isinstance(value, dict):
        return {key: _target(item) if key == "$ref" else _renamed(item) for key, item in value.items()}
    return [_renamed(item) for item in value] if isinstance(value, list) else value


def _target(text: str) -> str:
    name = text.removeprefix(_PREFIX)
    return _TEMPLATE.format(name=_NAMES.get(name, name))


def _list_name(item: type[Any]) -> str:
    return f"{item.__name__}List"
