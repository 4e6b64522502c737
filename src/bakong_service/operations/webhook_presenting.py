"""Events, endpoints and deliveries as the outside is shown them."""

import json
from typing import Any

from bakong_service.domain.delivery import Attempt, Delivery
from bakong_service.domain.endpoint import Endpoint
from bakong_service.domain.event import Event
from bakong_service.operations.presenting import moment

API_VERSION = "2026-11-01"
"""The version of the shape of events: what is added later keeps it, what changes gets another."""


def event(event: Event) -> dict[str, Any]:
    """An event, in the feed and in a webhook alike. `sequence` counts the events of `subject` from 1."""
    return {
        "id": event.reference,
        "type": event.type,
        "api_version": API_VERSION,
        "timestamp": moment(event.created_at),
        "subject": event.subject,
        "sequence": event.sequence,
        "previous_status": event.previous_status,
        "data": event.data,
    }


def body(of: Event) -> bytes:
    """What is posted: the event as JSON in UTF-8. The same event gives the same bytes at every attempt."""
    return json.dumps(event(of), ensure_ascii=False, separators=(",", ":")).encode()


def endpoint(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint without its secrets, which are shown once, when they are made."""
    return {
        "object": "endpoint",
        "reference": endpoint.reference,
        "name": endpoint.name,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": sorted(endpoint.event_types),
        "state": endpoint.state.value,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": moment(endpoint.failing_since),
        "failures": endpoint.failures,
        "created_at": moment(endpoint.created_at),
        "version": endpoint.version,
    }


def delivery(delivery: Delivery) -> dict[str, Any]:
    """A delivery without its attempts."""
    return {
        "object": "delivery",
        "reference": delivery.reference,
        "event": delivery.event,
        "event_type": delivery.event_type,
        "endpoint": delivery.endpoint,
        "subject": delivery.subject,
        "sequence": delivery.sequence,
        "state": delivery.state.value,
        "replay": delivery.replay > 0,
        "attempts": delivery.attempts,
        "next_attempt_at": moment(delivery.next_attempt_at),
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "created_at": moment(delivery.created_at),
        "finished_at": moment(delivery.finished_at),
    }


def attempt(attempt: Attempt) -> dict[str, Any]:
    """One attempt of a delivery."""
    return {
        "at": moment(attempt.at),
        "status": attempt.status,
        "error": attempt.error,
        "duration_ms": attempt.duration_ms,
        "response": attempt.response,
    }
