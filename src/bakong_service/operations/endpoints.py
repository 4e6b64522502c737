"""Endpoints: made, changed, enabled again, given another secret, deleted. Each change is audited, secrets never are."""

from datetime import datetime
from typing import Any

from attrs import asdict
from sqlalchemy import Connection

from bakong_service.domain.delivery import SECRET_OVERLAP
from bakong_service.domain.endpoint import (
    DEFAULT,
    MOST_ENDPOINTS,
    Endpoint,
    EndpointChange,
    EndpointState,
    NewEndpoint,
    faults,
)
from bakong_service.domain.errors import Conflict, Invalid, NotFound
from bakong_service.domain.event import NewEvent
from bakong_service.domain.webhook_secret import new_secret
from bakong_service.operations import webhook_presenting
from bakong_service.operations.business import Business
from bakong_service.storage import audit, deliveries, endpoints, outbox
from bakong_service.storage.signals import DELIVERIES, signal


def place_of(endpoint: str) -> str:
    """Where the secrets of an endpoint (`we_…`) are sealed."""
    return f"endpoint_secrets.secret_enc.{endpoint}"


def create(
    connection: Connection, business: Business, request: NewEndpoint, *, actor: str, now: datetime
) -> tuple[Endpoint, str]:
    """A new endpoint and its secret, which is shown this once. Raises `Invalid` with every fault, and `Conflict`."""
    _check(business, **asdict(request))
    if len(endpoints.every(connection)) >= MOST_ENDPOINTS:
        raise Conflict("too_many_endpoints", f"there are {MOST_ENDPOINTS} endpoints already; delete one first")
    return _add(connection, business, request, name=None, actor=actor, now=now)


def change(
    connection: Connection, business: Business, reference: str, request: EndpointChange, *, actor: str, now: datetime
) -> Endpoint:
    """Give an endpoint another URL, description or other event types; what is None stays."""
    _check(business, **asdict(request))
    endpoint = _own(connection, reference)
    url = endpoint.url if request.url is None else request.url
    description = endpoint.description if request.description is None else request.description
    event_types = endpoint.event_types if request.event_types is None else request.event_types
    values: dict[str, Any] = {"url": url, "description": description, "event_types": event_types}
    if event_types != endpoint.event_types:
        values["listening_since"] = now
    changed = sorted(name for name in ("url", "description", "event_types") if values[name] != getattr(endpoint, name))
    _change(connection, business, endpoint, "endpoint.changed", {"changed": changed}, actor=actor, now=now, **values)
    return get(connection, reference)


def enable(connection: Connection, business: Business, reference: str, *, actor: str, now: datetime) -> Endpoint:
    """Let deliveries go out again, from where they stopped; those that waited for an attempt are due now."""
    endpoint = get(connection, reference, lock=True)
    if endpoint.state is EndpointState.ENABLED:
        return endpoint
    if endpoint.disabled_reason == "not_configured":
        raise Conflict(
            "kept_by_settings", "WEBHOOK_URL isn't set: set it, and the endpoint is enabled at the next start"
        )
    _enable(connection, business, endpoint, actor=actor, now=now)
    return get(connection, reference)


def delete(connection: Connection, business: Business, reference: str, *, actor: str, now: datetime) -> None:
    """Delete an endpoint and its secrets, and cancel what was on its way to it."""
    endpoint = _own(connection, reference)
    _change(connection, business, endpoint, "endpoint.deleted", None, actor=actor, now=now, state="deleted")
    endpoints.forget_secrets(connection, endpoint.id)
    deliveries.cancel_all(connection, endpoint.id, now=now)


def rotate(
    connection: Connection, business: Business, reference: str, *, secret: str | None = None, actor: str, now: datetime
) -> tuple[Endpoint, str]:
    """Another secret, which is shown this once. The replaced one signs beside it for 24 hours."""
    endpoint = _own(connection, reference)
    _check(business, secret=secret)
    secret = secret or new_secret(business.identifiers.random_bits)
    _rotate(connection, business, endpoint, secret, actor=actor, now=now)
    return get(connection, reference), secret


def test(connection: Connection, business: Business, reference: str, *, actor: str, now: datetime) -> str:
    """Write an event `endpoint.test` that goes to this endpoint alone, whatever its event types; its reference."""
    endpoint = get(connection, reference, lock=True)
    if endpoint.state is EndpointState.DISABLED:
        raise Conflict("endpoint_disabled", f"{reference} is disabled ({endpoint.disabled_reason}): enable it first")
    audit.write(connection, business.identifiers, action="endpoint.test", actor=actor, subject=reference, now=now)
    data = webhook_presenting.endpoint(endpoint)
    event = NewEvent(type="endpoint.test", subject=reference, previous_status=endpoint.state.value, data=data)
    return outbox.append(connection, business.identifiers, event, now=now)


def get(connection: Connection, reference: str, *, lock: bool = False) -> Endpoint:
    """An endpoint. Raises `NotFound`."""
    endpoint = endpoints.by_reference(connection, reference, lock=lock)
    if endpoint is None:
        raise NotFound("endpoint_not_found", f"there is no endpoint {reference}")
    return endpoint


def ensure_default(
    connection: Connection, business: Business, *, url: str | None, secret: str | None, now: datetime
) -> None:
    """Make the endpoint `default` what the settings say, at start. Without a URL it is disabled, and keeps its
    deliveries. Raises `Invalid`."""
    actor = "system:settings"
    endpoint = endpoints.by_name(connection, DEFAULT, lock=True)
    if url is None:
        if endpoint is not None and endpoint.disabled_reason != "not_configured":
            disable(connection, business, endpoint, reason="not_configured", actor=actor, now=now)
        return
    _check(business, url=url, secret=secret)
    if endpoint is None:
        request = NewEndpoint(url=url, secret=secret)
        _add(connection, business, request, name=DEFAULT, actor=actor, now=now)
        return
    newest = endpoints.secrets(connection, [endpoint.id], now=now)[0]
    if secret is not None and business.vault.open(newest.blob, place_of(endpoint.reference)) != secret:
        _rotate(connection, business, endpoint, secret, actor=actor, now=now)
    if url != endpoint.url:
        _change(connection, business, endpoint, "endpoint.changed", {"changed": ["url"]}, actor=actor, now=now, url=url)
    if endpoint.state is EndpointState.DISABLED and (
        url != endpoint.url or endpoint.disabled_reason == "not_configured"
    ):
        _enable(connection, business, get(connection, endpoint.reference), actor=actor, now=now)


def disable(
    connection: Connection,
    business: Business,
    endpoint: Endpoint,
    *,
    reason: str,
    actor: str = "system:webhooks",
    now: datetime,
) -> None:
    """Stop calling an endpoint. The others are told by an event; deliveries wait until it is enabled again."""
    details = {"reason": reason, "failures": endpoint.failures}
    values = {"state": EndpointState.DISABLED.value, "disabled_reason": reason}
    _change(connection, business, endpoint, "endpoint.disabled", details, actor=actor, now=now, **values)
    event = NewEvent(
        type="endpoint.disabled",
        subject=endpoint.reference,
        previous_status=endpoint.state.value,
        data=webhook_presenting.endpoint(get(connection, endpoint.reference)),
    )
    outbox.append(connection, business.identifiers, event, now=now)


def _own(connection: Connection, reference: str) -> Endpoint:
    """An endpoint that callers may change, locked."""
    endpoint = get(connection, reference, lock=True)
    if endpoint.name == DEFAULT:
        raise Conflict(
            "kept_by_settings", f"{reference} is kept by WEBHOOK_URL and WEBHOOK_SECRET: change the settings"
        )
    return endpoint


def _add(
    connection: Connection, business: Business, request: NewEndpoint, *, name: str | None, actor: str, now: datetime
) -> tuple[Endpoint, str]:
    endpoint = Endpoint(
        id=business.identifiers.number(now),
        reference=business.identifiers.reference("we"),
        name=name,
        url=request.url,
        description=request.description,
        event_types=request.event_types,
        state=EndpointState.ENABLED,
        disabled_reason=None,
        version=1,
        listening_since=now,
        failing_since=None,
        failures=0,
        created_at=now,
    )
    secret = request.secret or new_secret(business.identifiers.random_bits)
    if not endpoints.add(connection, endpoint):  # another process made the default one in the same moment
        return endpoint, secret
    _keep_secret(connection, business, endpoint, secret, now=now)
    audit.write(
        connection,
        business.identifiers,
        action="endpoint.created",
        actor=actor,
        subject=endpoint.reference,
        details={"url": request.url},
        now=now,
    )
    return endpoint, secret


def _change(
    connection: Connection,
    business: Business,
    endpoint: Endpoint,
    action: str,
    details: dict[str, Any] | None,
    *,
    actor: str,
    now: datetime,
    **values: Any,
) -> None:
    endpoints.change(connection, endpoint.id, version=endpoint.version + 1, **values)
    audit.write(
        connection,
        business.identifiers,
        action=action,
        actor=actor,
        subject=endpoint.reference,
        details=details,
        now=now,
    )


def _enable(connection: Connection, business: Business, endpoint: Endpoint, *, actor: str, now: datetime) -> None:
    values = {"state": EndpointState.ENABLED.value, "disabled_reason": None, "failing_since": None, "failures": 0}
    _change(connection, business, endpoint, "endpoint.enabled", None, actor=actor, now=now, **values)
    deliveries.hurry(connection, endpoint.id, now=now)
    signal(connection, DELIVERIES)


def _rotate(
    connection: Connection, business: Business, endpoint: Endpoint, secret: str, *, actor: str, now: datetime
) -> None:
    endpoints.end_secrets(connection, endpoint.id, at=now + SECRET_OVERLAP)
    _keep_secret(connection, business, endpoint, secret, now=now)
    _change(connection, business, endpoint, "endpoint.rotated", None, actor=actor, now=now)


def _keep_secret(connection: Connection, business: Business, endpoint: Endpoint, secret: str, *, now: datetime) -> None:
    blob = business.vault.seal(secret, place_of(endpoint.reference))
    endpoints.add_secret(connection, business.identifiers, endpoint.id, blob, now=now)


def _check(
    business: Business,
    *,
    url: str | None = None,
    description: str | None = None,
    event_types: frozenset[str] | None = None,
    secret: str | None = None,
) -> None:
    found = tuple(
        faults(business.webhooks.targets, url=url, description=description, event_types=event_types, secret=secret)
    )
    if found:
        raise Invalid("invalid_endpoint", "; ".join(f"{fault.pointer}: {fault.message}" for fault in found), found)
