"""Makes, changes, enables and deletes endpoints, and rotates their secrets. The audit log keeps no secret."""

from typing import Any

from attrs import asdict, evolve
from sqlalchemy import Connection

from bakong_service import resources
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
from bakong_service.operations.business import Business
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.engine.signals import DELIVERIES, signal
from bakong_service.storage.webhooks import deliveries, endpoints


def place_of(endpoint: str, secret_id: int) -> str:
    """Return the place to which a secret of an endpoint (`we_...`) is sealed. Each of its secrets has its own place."""
    return f"endpoint_secrets.secret_enc.{endpoint}.{secret_id}"


def create(work: UnitOfWork, request: NewEndpoint) -> tuple[Endpoint, str]:
    """Make an endpoint. Return it with its secret, which is shown only once. Raises `Invalid` and `Conflict`."""
    _check(work.business, **asdict(request))
    if len(endpoints.every(work.connection)) >= MOST_ENDPOINTS:
        raise Conflict("too_many_endpoints", f"there are {MOST_ENDPOINTS} endpoints already; delete one first")
    return _add(work, request, name=None)


def change(work: UnitOfWork, reference: str, request: EndpointChange) -> Endpoint:
    """Change an endpoint's URL, description or event types. A field that is None stays as it is."""
    _check(work.business, **asdict(request))
    endpoint = _own(work, reference)
    url = endpoint.url if request.url is None else request.url
    description = endpoint.description if request.description is None else request.description
    event_types = endpoint.event_types if request.event_types is None else request.event_types
    values: dict[str, Any] = {"url": url, "description": description, "event_types": event_types}
    if event_types != endpoint.event_types:
        values["listening_since"] = work.now
    changed = sorted(name for name in ("url", "description", "event_types") if values[name] != getattr(endpoint, name))
    _change(work, endpoint, "endpoint.changed", {"changed": changed}, **values)
    return get(work.connection, reference)


def enable(work: UnitOfWork, reference: str) -> Endpoint:
    """Let deliveries go out again from where they stopped. Those that waited for an attempt are due now."""
    endpoint = get(work.connection, reference, lock=True)
    if endpoint.state is EndpointState.ENABLED:
        return endpoint
    if endpoint.disabled_reason == "not_configured":
        raise Conflict("kept_by_settings", "WEBHOOK_URL isn't set: set it, and the next start enables the endpoint")
    _enable(work, endpoint)
    return get(work.connection, reference)


def delete(work: UnitOfWork, reference: str) -> None:
    """Delete an endpoint and its secrets, and cancel its deliveries."""
    endpoint = _own(work, reference)
    _change(work, endpoint, "endpoint.deleted", None, state="deleted")
    endpoints.forget_secrets(work.connection, endpoint.id)
    deliveries.cancel_all(work.connection, endpoint.id, now=work.now)


def rotate(work: UnitOfWork, reference: str, *, secret: str | None = None) -> tuple[Endpoint, str]:
    """Give an endpoint a new secret, which is shown only once. The old secret signs too for 24 hours."""
    endpoint = _own(work, reference)
    _check(work.business, secret=secret)
    secret = secret or new_secret(work.business.identifiers.random_bits)
    _rotate(work, endpoint, secret)
    return get(work.connection, reference), secret


def test(work: UnitOfWork, reference: str) -> str:
    """Write an event `endpoint.test`, which goes only to this endpoint. Return the event's reference."""
    endpoint = get(work.connection, reference, lock=True)
    if endpoint.state is EndpointState.DISABLED:
        raise Conflict("endpoint_disabled", f"{reference} is disabled ({endpoint.disabled_reason}): enable it first")
    work.audit("endpoint.test", reference)
    data = resources.plain(resources.Endpoint.of(endpoint))
    event = NewEvent(type="endpoint.test", subject=reference, previous_status=endpoint.state.value, data=data)
    return work.append(event)


def get(connection: Connection, reference: str, *, lock: bool = False) -> Endpoint:
    """Return an endpoint. Raises `NotFound`."""
    endpoint = endpoints.by_reference(connection, reference, lock=lock)
    if endpoint is None:
        raise NotFound("endpoint_not_found", f"there is no endpoint {reference[:64]}")
    return endpoint


def ensure_default(work: UnitOfWork, *, url: str | None, secret: str | None) -> None:
    """Make or change the endpoint `default` as the settings say, at start. Raises `Invalid`.

    Without a URL the endpoint is disabled, and its deliveries wait.
    """
    work = evolve(work, actor="system:settings")
    endpoint = endpoints.by_name(work.connection, DEFAULT, lock=True)
    if url is None:
        if endpoint is not None and endpoint.disabled_reason != "not_configured":
            disable(work, endpoint, reason="not_configured")
        return
    _check(work.business, url=url, secret=secret)
    if endpoint is None:
        request = NewEndpoint(url=url, secret=secret)
        _add(work, request, name=DEFAULT)
        return
    newest = endpoints.secrets(work.connection, [endpoint.id], now=work.now)[0]
    place = place_of(endpoint.reference, newest.id)
    if secret is not None and work.business.vault.open(newest.blob, place) != secret:
        _rotate(work, endpoint, secret)
    if url != endpoint.url:
        _change(work, endpoint, "endpoint.changed", {"changed": ["url"]}, url=url)
    if endpoint.state is EndpointState.DISABLED and (
        url != endpoint.url or endpoint.disabled_reason == "not_configured"
    ):
        _enable(work, get(work.connection, endpoint.reference))


def disable(work: UnitOfWork, endpoint: Endpoint, *, reason: str) -> None:
    """Stop calling an endpoint, and write an event for the other endpoints. Its deliveries wait until it is enabled."""
    details = {"reason": reason, "failures": endpoint.failures}
    values = {"state": EndpointState.DISABLED.value, "disabled_reason": reason}
    _change(work, endpoint, "endpoint.disabled", details, **values)
    event = NewEvent(
        type="endpoint.disabled",
        subject=endpoint.reference,
        previous_status=endpoint.state.value,
        data=resources.plain(resources.Endpoint.of(get(work.connection, endpoint.reference))),
    )
    work.append(event)


def _own(work: UnitOfWork, reference: str) -> Endpoint:
    """Lock and return an endpoint that callers may change."""
    endpoint = get(work.connection, reference, lock=True)
    if endpoint.name == DEFAULT:
        raise Conflict("kept_by_settings", f"WEBHOOK_URL and WEBHOOK_SECRET define {reference}: change the settings")
    return endpoint


def _add(work: UnitOfWork, request: NewEndpoint, *, name: str | None) -> tuple[Endpoint, str]:
    endpoint = Endpoint(
        id=work.number(),
        reference=work.reference("we"),
        name=name,
        url=request.url,
        description=request.description,
        event_types=request.event_types,
        state=EndpointState.ENABLED,
        disabled_reason=None,
        version=1,
        listening_since=work.now,
        failing_since=None,
        failures=0,
        created_at=work.now,
    )
    secret = request.secret or new_secret(work.business.identifiers.random_bits)
    if not endpoints.add(work.connection, endpoint):  # another process made the default endpoint at the same moment
        return endpoint, secret
    _keep_secret(work, endpoint, secret)
    work.audit("endpoint.created", endpoint.reference, details={"url": request.url})
    return endpoint, secret


def _change(
    work: UnitOfWork,
    endpoint: Endpoint,
    action: str,
    details: dict[str, Any] | None,
    **values: Any,
) -> None:
    endpoints.change(work.connection, endpoint.id, version=endpoint.version + 1, **values)
    work.audit(action, endpoint.reference, details=details)


def _enable(work: UnitOfWork, endpoint: Endpoint) -> None:
    values = {"state": EndpointState.ENABLED.value, "disabled_reason": None, "failing_since": None, "failures": 0}
    _change(work, endpoint, "endpoint.enabled", None, **values)
    deliveries.hurry(work.connection, endpoint.id, now=work.now)
    signal(work.connection, DELIVERIES)


def _rotate(work: UnitOfWork, endpoint: Endpoint, secret: str) -> None:
    endpoints.end_secrets(work.connection, endpoint.id, at=work.now + SECRET_OVERLAP)
    _keep_secret(work, endpoint, secret)
    _change(work, endpoint, "endpoint.rotated", None)


def _keep_secret(work: UnitOfWork, endpoint: Endpoint, secret: str) -> None:
    secret_id = work.number()
    blob = work.business.vault.seal(secret, place_of(endpoint.reference, secret_id))
    endpoints.add_secret(work.connection, secret_id, endpoint.id, blob, now=work.now)


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
