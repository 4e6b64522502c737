"""What the service shows of webhooks: endpoints, deliveries and events."""

# ruff: noqa: E501 - a table: one member a line

from collections.abc import Collection, Iterable
from typing import Any, Literal, Self

from attrs import field, frozen

from bakong_service.domain import delivery, endpoint, event
from bakong_service.domain.delivery import DeliveryState
from bakong_service.domain.endpoint import EndpointState
from bakong_service.domain.event import ENDPOINT_EVENTS, PAYMENT_EVENTS, SUBSCRIPTION_EVENTS
from bakong_service.domain.moment import moment
from bakong_service.resources.members import EventType, Moment, says, taken
from bakong_service.resources.payments import Payment
from bakong_service.resources.subscriptions import ChangedSubscription
from bakong_service.resources.writing import encode

API_VERSION = "2026-11-01"
"""The version of the shape of events: what is added later keeps it, what changes gets another."""


@frozen(kw_only=True, slots=False)
class Endpoint:
    """A URL that events are delivered to."""

    object: Literal["endpoint"] = "endpoint"
    reference: str = field(metadata=says("The service's own name for it."))
    name: str | None = field(metadata=says("`default` for the endpoint of WEBHOOK_URL, else null."))
    url: str = field(metadata=says("Where events are sent."))
    description: str | None = field(metadata=says("What it is for, in your words."))
    event_types: list[EventType] = field(metadata=says("The types of events that the endpoint gets. None: all."))
    state: EndpointState = field(metadata=says("How it stands."))
    disabled_reason: str | None = field(metadata=says("Why the endpoint is disabled: `gone`, `failing` or `not_configured`."))  # fmt: skip
    failing_since: Moment | None = field(metadata=says("When deliveries began to fail. It is null while they succeed."))
    failures: int = field(metadata=says("How many attempts failed since then."))
    created_at: Moment = field(metadata=says("When it was made."))
    version: int = field(metadata=says("A number that rises with each change."))

    @classmethod
    def of(cls, endpoint: endpoint.Endpoint, **more: Any) -> Self:
        """Return an endpoint. Its secrets are shown once, when they are made."""
        return taken(cls, endpoint, **more)


@frozen(kw_only=True, slots=False)
class EndpointWithSecret(Endpoint):
    """An endpoint with the secret that signs its deliveries. The secret is shown this once."""

    secret: str = field(repr=False, metadata=says("The secret that signs deliveries. It is shown this once."))


@frozen(kw_only=True, slots=False)
class DeletedEndpoint:
    """An endpoint that is deleted."""

    object: Literal["endpoint"] = "endpoint"
    reference: str = field(metadata=says("The service's own name for it."))
    deleted: bool = field(default=True, metadata=says("That the endpoint is deleted."))


@frozen(kw_only=True, slots=False)
class Delivery:
    """One event on its way to one endpoint."""

    object: Literal["delivery"] = "delivery"
    reference: str = field(metadata=says("The service's own name for it."))
    event: str = field(metadata=says("The id of the event."))
    event_type: EventType = field(metadata=says("The type of the event."))
    endpoint: str = field(metadata=says("The reference of the endpoint."))
    subject: str = field(metadata=says("The reference of what it is about."))
    sequence: int = field(metadata=says("The event's number within its subject. A higher one is newer."))
    state: DeliveryState = field(metadata=says("How it stands."))
    replay: bool = field(metadata=says("Whether the event was delivered before, and is delivered again because somebody asked."))  # fmt: skip
    attempts: int = field(metadata=says("How often the delivery was tried."))
    next_attempt_at: Moment | None = field(metadata=says("When the delivery is tried next. It is null where it has ended."))  # fmt: skip
    last_status: int | None = field(metadata=says("The HTTP status that the endpoint answered last."))
    last_error: str | None = field(metadata=says("Why the last attempt got no answer."))
    created_at: Moment = field(metadata=says("When it was made."))
    finished_at: Moment | None = field(metadata=says("When the delivery ended, well or not."))

    @classmethod
    def of(cls, delivery: delivery.Delivery, **more: Any) -> Self:
        """Return a delivery."""
        return taken(cls, delivery, replay=delivery.replay > 0, **more)


@frozen(kw_only=True, slots=False)
class Attempt:
    """One attempt of a delivery, and what the endpoint answered."""

    at: Moment = field(metadata=says("When it happened."))
    status: int | None = field(metadata=says("The HTTP status that the endpoint answered. It is null where there was no answer."))  # fmt: skip
    error: str | None = field(metadata=says("Why there was no answer. It is null where the endpoint answered."))
    duration_ms: int = field(metadata=says("How long the attempt took, in milliseconds."))
    response: str | None = field(metadata=says("The beginning of what the endpoint answered."))

    @classmethod
    def of(cls, attempt: delivery.Attempt) -> Self:
        """Return an attempt as it was recorded."""
        return taken(cls, attempt)


@frozen(kw_only=True, slots=False)
class DeliveryWithAttempts(Delivery):
    """A delivery with every attempt, first to last."""

    attempts_made: list[Attempt] = field(metadata=says("Every attempt, first to last."))

    @classmethod
    def with_attempts(cls, delivery: delivery.Delivery, attempts: Iterable[delivery.Attempt]) -> Self:
        """Return a delivery with its attempts."""
        return cls.of(delivery, attempts_made=[Attempt.of(attempt) for attempt in attempts])


@frozen(kw_only=True, slots=False)
class Replay:
    """How many events are delivered again, and where the rest begins."""

    object: Literal["replay"] = "replay"
    count: int = field(metadata=says("How many events are delivered again because of this call."))
    next_after: int | None = field(metadata=says("Where the rest begins: ask again with it as `after`. It is null where nothing is left."))  # fmt: skip


@frozen(kw_only=True, slots=False)
class Event:
    """An event, as the feed and webhooks bring it: `type` says which shape it has."""

    id: str = field(metadata=says("The event's id, the same in the feed and in each delivery. Keep it to recognise a repetition."))  # fmt: skip
    type: EventType = field(metadata=says("What happened."))
    api_version: str = field(metadata=says("The version of the shape of events."))
    timestamp: Moment = field(metadata=says("When it happened."))
    subject: str = field(metadata=says("The reference of what it is about."))
    sequence: int = field(metadata=says("The event's number within its subject. A higher one is newer."))
    previous_status: str | None = field(metadata=says("The status before the change."))
    data: dict[str, Any] = field(metadata=says("The subject after the change."))

    @classmethod
    def of(cls, event: event.Event) -> Self:
        """Return an event as it was written. `sequence` rises within `subject`: from 1 by one, and after a restore from
        a far greater number."""
        return cls(
            id=event.reference,
            type=event.type,
            api_version=API_VERSION,
            timestamp=moment(event.created_at),
            subject=event.subject,
            sequence=event.sequence,
            previous_status=event.previous_status,
            data=event.data,
        )

    def body(self) -> bytes:
        """Return what is posted: JSON in UTF-8. The same event gives the same bytes at every attempt."""
        return encode(self)


@frozen(kw_only=True, slots=False)
class EventReference:
    """The id of an event that is on its way."""

    object: Literal["event"] = "event"
    id: str = field(metadata=says("The event's id, the same in the feed and in each delivery. Keep it to recognise a repetition."))  # fmt: skip


@frozen
class Family:
    """The events about one kind of subject: the name of their schema, their types, and what `data` holds."""

    name: str
    types: Collection[str]
    data: type[Any]
    subject: str


FAMILIES = (
    Family("PaymentEvent", PAYMENT_EVENTS, Payment, "payment"),
    Family("SubscriptionEvent", SUBSCRIPTION_EVENTS, ChangedSubscription, "subscription"),
    Family("EndpointEvent", ENDPOINT_EVENTS, Endpoint, "endpoint"),
)
