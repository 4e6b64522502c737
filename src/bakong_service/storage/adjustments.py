"""Plan changes that cost nothing, and so have no payment that tells of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from bakong_service.domain.identifiers import Identifiers
from bakong_service.storage.schema import adjustments


def add(
    connection: Connection,
    identifiers: Identifiers,
    subscription_id: int,
    kind: str,
    quote: dict[str, Any],
    *,
    now: datetime,
) -> None:
    """Write one; `kind` is `"upgrade"` or `"downgrade"`, `quote` what was reckoned."""
    row = {
        "id": identifiers.number(now),
        "subscription_id": subscription_id,
        "kind": kind,
        "quote": quote,
        "at": now,
    }
    connection.execute(insert(adjustments).inline(), row)


def of_subscription(connection: Connection, subscription_id: int) -> list[tuple[str, dict[str, Any]]]:
    """Kind and reckoning of each, oldest first."""
    query = (
        select(adjustments.c.kind, adjustments.c.quote)
        .where(adjustments.c.subscription_id == subscription_id)
        .order_by(adjustments.c.id)
    )
    return [(row.kind, row.quote) for row in connection.execute(query)]
