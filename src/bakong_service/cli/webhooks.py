"""`webhooks`: endpoints, their deliveries, and their dead letters."""

from datetime import UTC
from functools import partial

from cyclopts import App

from bakong_service import resources
from bakong_service.cli import opening, output
from bakong_service.cli.options import AsJson, Limit, Operator, When
from bakong_service.domain.delivery import DeliveryState
from bakong_service.domain.endpoint import EndpointChange, NewEndpoint
from bakong_service.operations.webhooks import endpoints as operations
from bakong_service.operations.webhooks import reading, replays
from bakong_service.storage.webhooks import delivery_records, endpoints

app = App(name="webhooks", help="Endpoints, deliveries and dead letters.")

_ENDPOINT = ("reference", "name", "url", "state", "disabled_reason", "failures")
_DELIVERY = ("reference", "event_type", "subject", "endpoint", "state", "attempts", "last_status", "last_error")
_ATTEMPT = ("at", "status", "error", "duration_ms", "response")


@app.command(name="list")
def list_(*, json: AsJson = False) -> None:
    """List the endpoints."""
    output.many([resources.Endpoint.of(each) for each in opening.read(endpoints.every)], _ENDPOINT, as_json=json)


@app.command
def create(
    url: str,
    *,
    description: str | None = None,
    event_type: list[str] | None = None,
    operator: Operator = None,
    json: AsJson = False,
) -> None:
    """Make an endpoint. Its secret is printed only once.

    Parameters
    ----------
    url
        The URL that its events are posted to.
    event_type
        A type of event that it gets. Give the option once for each type. Without it, it gets all events.
    """
    new = NewEndpoint(url=url, description=description, event_types=frozenset(event_type or ()))
    endpoint, secret = opening.act(operator, lambda work: operations.create(work, new))
    output.one(resources.EndpointWithSecret.of(endpoint, secret=secret), as_json=json)


@app.command
def change(
    reference: str,
    *,
    url: str | None = None,
    description: str | None = None,
    event_type: list[str] | None = None,
    operator: Operator = None,
    json: AsJson = False,
) -> None:
    """Change the URL, the description or the event types of an endpoint. What you leave out stays."""
    types = None if event_type is None else frozenset(event_type)
    wanted = EndpointChange(url=url, description=description, event_types=types)
    changed = opening.act(operator, lambda work: operations.change(work, reference, wanted))
    output.one(resources.Endpoint.of(changed), as_json=json)


@app.command
def enable(reference: str, *, operator: Operator = None, json: AsJson = False) -> None:
    """Enable an endpoint. Its deliveries go on from where they stopped."""
    enabled = opening.act(operator, lambda work: operations.enable(work, reference))
    output.one(resources.Endpoint.of(enabled), as_json=json)


@app.command
def delete(reference: str, *, operator: Operator = None) -> None:
    """Delete an endpoint and cancel its deliveries."""
    opening.act(operator, lambda work: operations.delete(work, reference))


@app.command
def rotate(reference: str, *, operator: Operator = None, json: AsJson = False) -> None:
    """Give an endpoint a new secret, which is printed only once. For 24 hours, both secrets sign."""
    endpoint, secret = opening.act(operator, lambda work: operations.rotate(work, reference))
    output.one(resources.EndpointWithSecret.of(endpoint, secret=secret), as_json=json)


@app.command(name="test")
def send_test(reference: str, *, operator: Operator = None, json: AsJson = False) -> None:
    """Send an event `endpoint.test` to an endpoint. Prints the id of the event."""
    event = opening.act(operator, lambda work: operations.test(work, reference))
    output.one(resources.EventReference(id=event), as_json=json)


@app.command(name="deliveries")
def deliveries_(
    *,
    state: DeliveryState | None = None,
    endpoint: str | None = None,
    event: str | None = None,
    limit: Limit = 50,
    json: AsJson = False,
) -> None:
    """List deliveries, newest first.

    Parameters
    ----------
    state
        Show deliveries in this state: `failed` shows the dead letters.
    endpoint
        Show the deliveries to this endpoint (we_...).
    event
        Show the deliveries of this event (evt_...).
    """
    query = partial(delivery_records.page, limit=limit, endpoint=endpoint, event=event, state=state)
    output.many([resources.Delivery.of(each) for each in opening.read(query)], _DELIVERY, as_json=json)


@app.command
def show(reference: str, *, json: AsJson = False) -> None:
    """Show a delivery with its attempts and their answers."""
    found = opening.read(lambda connection: reading.delivery(connection, reference))
    output.one(found, as_json=json, tables={"attempts_made": _ATTEMPT})


@app.command
def retry(reference: str, *, operator: Operator = None, json: AsJson = False) -> None:
    """Make the next attempt of a delivery now, or replay a delivery that has ended. Prints the delivery."""
    made = opening.act(operator, lambda work: replays.retry(work, reference))
    output.one(resources.Delivery.of(made), as_json=json)


@app.command
def replay(
    reference: str,
    *,
    since: When,
    until: When | None = None,
    all: bool = False,  # noqa: A002 - the option's name
    operator: Operator = None,
    json: AsJson = False,
) -> None:
    """Deliver the dead letters of an endpoint again.

    Parameters
    ----------
    reference
        The endpoint (we_...).
    since
        Take events from this moment on (ISO 8601; without an offset, in this machine's time).
    until
        Take events before this moment.
    all
        Take every event that the endpoint gets, not only the dead letters.
    """
    begin, end = since.astimezone(UTC), None if until is None else until.astimezone(UTC)
    count, after = 0, 0
    while True:
        done = opening.act(
            operator,
            partial(replays.replay, reference=reference, since=begin, until=end, failed_only=not all, after=after),
        )
        count += done.count
        if done.next_after is None:
            break
        after = done.next_after
    output.one(resources.Replay(count=count, next_after=None), as_json=json)
