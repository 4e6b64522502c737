"""`keys`: API keys."""

from datetime import timedelta
from typing import Any, Literal

from cyclopts import App

from bakong_service.cli import opening, output
from bakong_service.cli.output import AsJson
from bakong_service.cli.payments import actor_of
from bakong_service.operations import keys as operations
from bakong_service.operations.keys import MadeKey, NewKey
from bakong_service.storage import api_keys
from bakong_service.web.keys import shown
from bakong_service.web.service import Service

app = App(name="keys", help="Make, list, rotate and revoke API keys.")

Scope = Literal[
    "payments:read", "payments:write", "subscriptions:read", "subscriptions:write",
    "webhooks", "operator", "admin", "metrics",
]  # fmt: skip


@app.command(name="list")
def list_(*, json: AsJson = False) -> None:
    """List every key, newest first."""

    async def found(service: Service) -> list[dict[str, Any]]:
        return [shown(key) for key in await service.executor.read(api_keys.every)]

    columns = ("key_id", "name", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
    output.many(opening.run(found), columns, as_json=json)


@app.command
def create(name: str, *, scope: list[Scope], operator: str | None = None, json: AsJson = False) -> None:
    """Make a key. Its text is printed this once.

    Parameters
    ----------
    name
        What it is for.
    scope
        What it may do; give it once for each.
    """

    async def made(service: Service) -> dict[str, Any]:
        new = NewKey(name=name, scopes=frozenset(scope), is_test=service.settings.is_test)
        key = await service.executor.run(
            lambda connection: operations.create(
                connection, service.business, new, actor=actor_of(operator), now=service.clock.now()
            )
        )
        return _told(key)

    output.one(opening.run(made), as_json=json)


@app.command
def rotate(key_id: str, *, overlap_hours: int = 24, operator: str | None = None, json: AsJson = False) -> None:
    """Make a new key beside an old one, which stays good for a while.

    Parameters
    ----------
    overlap_hours
        For how long.
    """

    async def made(service: Service) -> dict[str, Any]:
        key = await service.executor.run(
            lambda connection: operations.rotate(
                connection,
                service.business,
                key_id,
                overlap=timedelta(hours=overlap_hours),
                is_test=service.settings.is_test,
                actor=actor_of(operator),
                now=service.clock.now(),
            )
        )
        return _told(key)

    output.one(opening.run(made), as_json=json)


@app.command
def revoke(key_id: str, *, operator: str | None = None, json: AsJson = False) -> None:
    """End a key at once."""

    async def ended(service: Service) -> dict[str, Any]:
        return shown(
            await service.executor.run(
                lambda connection: operations.revoke(
                    connection, service.business, key_id, actor=actor_of(operator), now=service.clock.now()
                )
            )
        )

    output.one(opening.run(ended), as_json=json)


def _told(made: MadeKey) -> dict[str, Any]:
    return {"key": made.text} | shown(made.key)
