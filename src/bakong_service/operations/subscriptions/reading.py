"""What callers read about subscriptions."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bakong_service import resources
from bakong_service.domain.errors import NotFound
from bakong_service.domain.lifecycle import due_by
from bakong_service.domain.subscription import Subscription
from bakong_service.operations.subscriptions.recording import resource
from bakong_service.operations.subscriptions.renewing import is_to_be_prepared
from bakong_service.storage import history
from bakong_service.storage.history import Change
from bakong_service.storage.subscriptions import subscriptions


def page(connection: Connection, **part: Any) -> list[tuple[int, resources.Subscription]]:
    """Return the page of `subscriptions.page`: the id and the resource of each subscription."""
    return [(found.id, resource(connection, found)) for found in subscriptions.page(connection, **part)]


def changes(connection: Connection, *, reference: str, **part: Any) -> list[Change]:
    """Return a page of the changes of a subscription. Raises `NotFound`."""
    return history.of_subscription(connection, named(connection, reference).id, **part)


def record(connection: Connection, name: str) -> tuple[resources.Subscription, list[Change]]:
    """Return the resource and the changes of a subscription. `name` is its reference or its user's id."""
    found = subscriptions.by_reference(connection, name) or subscriptions.last_of(connection, name)
    if found is None:
        raise NotFound("no_such_subscription", f"there is no subscription {name[:64]}, and no user with a subscription")
    return resource(connection, found), history.of_subscription(connection, found.id)


def named(connection: Connection, reference: str) -> Subscription:
    """Return a subscription by its reference. Raises `NotFound`."""
    found = subscriptions.by_reference(connection, reference)
    if found is None:
        raise NotFound("no_such_subscription", f"there is no subscription {reference[:64]}")
    return found


def newest_of(connection: Connection, user_id: str) -> Subscription:
    """Return a user's newest subscription. Raises `NotFound`."""
    found = subscriptions.last_of(connection, user_id)
    if found is None:
        raise NotFound("no_such_subscription", f"the user {user_id[:64]} has no subscription")
    return found


def at_once(
    connection: Connection, found: Subscription, now: datetime
) -> tuple[Subscription, resources.Subscription | None]:
    """Return a subscription and its resource; None for the resource if something is due first (`renewing.look_at`)."""
    is_due = due_by(found, now) or is_to_be_prepared(connection, found, now)
    return found, None if is_due else resource(connection, found)
