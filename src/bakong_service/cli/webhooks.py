"""`webhooks`: endpoints, their deliveries, and what to do about dead letters."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cyclopts import App
from sqlalchemy import Connection

from bakong_service.cli import opening, output
from bakong_service.cli.output import AsJson
from bakong_service.cli.payments import actor_of
from bakong_service.domain.delivery import DeliveryState
from bakong_service.domain.endpoint import EndpointChange, NewEndpoint
from bakong_service.domain.errors import NotFound
from bakong_service.operations import endpoints as operations
from bakong_service.operations import replays
from bakong_service.operations import webhook_presenting as presenting
from bakong_service.storage import delivery_records, endpoints
from bakong_service.web.service import Service

app = App(name="webhooks", help="Endpoints, deliveries, dead letters.")

_ENDPOINT = ("reference", "name", "url", "state", "disabled_reason", "failures")
_DELIVERY = ("reference", "event_type", "subject", "endpoint", "state", "attempts", "last_status", "last_error")


@app.command(name="list")
def list_(*, json: AsJson = False) -> None:
    """List the endpoints."""
    found = _read(lambda connection: [presenting.endpoint(each) for each in endpoints.every(connection)])
    output.many(found, _ENDPOINT, as_json=json)


@app.command
def create(
    url: str,
    *,
    description: str | None = None,
    event_type: list[str] | None = None,
    operator: str | None = None,
    json: AsJson = False,
) -> None:
    """Make an endpoint. Its secret is printed this once.

    Parameters
    ----------
    url
        Where its events are posted.
    event_type
        What it wants; give it once for each. Without any it gets all.
    operator
        Your name, for the audit; the name you are logged in with, unless given.
    """
    new = NewEndpoint(url=url, description=description, event_types=frozenset(event_type or ()))

    def operation(connection: Connection, service: Service, by: dict[str, Any]) -> dict[str, Any]:
        endpoint, secret = operations.create(connection, service.business, new, **by)
        return {"secret": secret} | presenting.endpoint(endpoint)

    output.one(_act(operation, operator), as_json=json)


@app.command
def change(
    reference: str,
    *,
    url: str | None = None,
    description: str | None = None,
    event_type: list[str] | None = None,
    operator: str | None = None,
    json: AsJson = False,
) -> None:
    """Give an endpoint another URL, description, or other event types; what isn't given stays."""
    types = None if event_type is None else frozenset(event_type)
    wanted = EndpointChange(url=url, description=description, event_types=types)
    _on_endpoint(
        lambda connection, service, by: operations.change(connection, service.business, reference, wanted, **by),
        operator,
        json=json,
    )


@app.command
def enable(reference: str, *, operator: str | None = None, json: AsJson = False) -> None:
    """Let the deliveries of a disabled endpoint go on from where they stopped."""
    _on_endpoint(
        lambda connection, service, by: operations.enable(connection, service.business, reference, **by),
        operator,
        json=json,
    )


@app.command
def delete(reference: str, *, operator: str | None = None) -> None:
    """Delete an endpoint and cancel what is on its way there."""
    _act(
        lambda connection, service, by: operations.delete(connection, service.business, reference, **by),
        operator,
    )


@app.command
def rotate(reference: str, *, operator: str | None = None, json: AsJson = False) -> None:
    """Give an endpoint another secret, printed this once. For 24 hours both sign."""

    def operation(connection: Connection, service: Service, by: dict[str, Any]) -> dict[str, Any]:
        endpoint, secret = operations.rotate(connection, service.business, reference, **by)
        return {"secret": secret} | presenting.endpoint(endpoint)

    output.one(_act(operation, operator), as_json=json)


@app.command(name="test")
def send_test(reference: str, *, operator: str | None = None, json: AsJson = False) -> None:
    """Have an event `endpoint.test` sent to an endpoint; prints the event's id."""
    event = _act(
        lambda connection, service, by: operations.test(connection, service.business, reference, **by), operator
    )
    output.one({"event": event}, as_json=json)


@app.command(name="deliveries")
def deliveries_(
    *,
    state: DeliveryState | None = None,
    endpoint: str | None = None,
    event: str | None = None,
    limit: int = 50,
    json: AsJson = False,
) -> None:
    """List deliveries, newest first.

    Parameters
    ----------
    state
        `failed` are the dead letters.
    endpoint
        Those to one endpoint (we_...).
    event
        Those of one event (evt_...).
    limit
        At most so many.
    """
    found = _read(
        lambda connection: [
            presenting.delivery(each)
            for each in delivery_records.page(connection, limit=limit, endpoint=endpoint, event=event, state=state)
        ]
    )
    output.many(found, _DELIVERY, as_json=json)


@app.command
def show(reference: str, *, json: AsJson = False) -> None:
    """Show a delivery with its attempts and what came back."""

    def query(connection: Connection) -> dict[str, Any]:
        delivery = delivery_records.by_reference(connection, reference)
        if delivery is None:
            raise NotFound("delivery_not_found", f"there is no delivery {reference}")
        tried = [presenting.attempt(each) for each in delivery_records.attempts(connection, reference)]
        return presenting.delivery(delivery) | {"attempts_made": tried}

    found = _read(query)
    if json:
        output.one(found, as_json=True)
        return
    tried = found.pop("attempts_made")
    output.one(found, as_json=False)
    output.many(tried, ("at", "status", "error", "duration_ms", "response"), as_json=False)


@app.command
def retry(reference: str, *, operator: str | None = None, json: AsJson = False) -> None:
    """Try a delivery now; one that has ended is made again. Prints the delivery that will be made."""
    made = _act(lambda connection, service, by: replays.retry(connection, service.business, reference, **by), operator)
    output.one({"delivery": made}, as_json=json)


@app.command
def replay(
    reference: str,
    *,
    since: datetime,
    until: datetime | None = None,
    all: bool = False,  # noqa: A002 - the option's name
    operator: str | None = None,
    json: AsJson = False,
) -> None:
    """Deliver again what an endpoint didn't take.

    Parameters
    ----------
    reference
        The endpoint (we_...).
    since
        Events written from this moment on (ISO 8601; without an offset it is this machine's time).
    until
        And before this one.
    all
        Not the dead letters alone, but every event that the endpoint wants.
    """
    count, after = 0, 0
    while True:
        done = _act(
            lambda connection, service, by, after=after: replays.replay(
                connection,
                service.business,
                reference,
                since=since.astimezone(UTC),
                until=None if until is None else until.astimezone(UTC),
                failed_only=not all,
                after=after,
                **by,
            ),
            operator,
        )
        count += done.count
        if done.next_after is None:
            break
        after = done.next_after
    output.one({"count": count}, as_json=json)


def _read(query: Callable[[Connection], Any]) -> Any:
    async def found(service: Service) -> Any:
        return await service.executor.read(query, many=True)

    return opening.run(found)


def _act(operation: Callable[..., Any], operator: str | None) -> Any:
    """Run an operation, which is told by whom and when."""

    async def done(service: Service) -> Any:
        by = {"actor": actor_of(operator), "now": service.clock.now()}
        return await service.executor.run(lambda connection: operation(connection, service, by))

    return opening.run(done)


def _on_endpoint(operation: Callable[..., Any], operator: str | None, *, json: bool) -> None:
    output.one(presenting.endpoint(_act(operation, operator)), as_json=json)
