"""`keys`: API keys."""

from datetime import UTC, timedelta
from typing import Annotated

from cyclopts import App, Parameter

from bakong_service.cli import opening, output
from bakong_service.cli.options import AsJson, Operator, When
from bakong_service.domain.moment import moment
from bakong_service.domain.scope import Scope
from bakong_service.operations import keys as operations
from bakong_service.operations.keys import NewKey
from bakong_service.resources import Key, KeyWithText
from bakong_service.storage import api_keys
from bakong_service.web.http.service import Service

app = App(name="keys", help="Make, list, rotate and revoke API keys.")


@app.command(name="list")
def list_(*, json: AsJson = False) -> None:
    """List every key, newest first."""
    columns = ("key_id", "name", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
    output.many([Key.of(key) for key in opening.read(api_keys.every)], columns, as_json=json)


@app.command
def create(
    name: str,
    *,
    scope: Annotated[list[Scope], Parameter(negative=())],
    expires_at: When | None = None,
    operator: Operator = None,
    json: AsJson = False,
) -> None:
    """Make a key. Its text is printed only once.

    Parameters
    ----------
    name
        What the key is for.
    scope
        What the key may do. Give the option once for each scope.
    expires_at
        When the key ends by itself, such as 2027-01-31T17:00:00+07:00 (ISO 8601; without an offset, in this machine's
        time). Without this option, it doesn't end by itself.
    """
    ends = None if expires_at is None else expires_at.astimezone(UTC)

    async def made(service: Service) -> KeyWithText:
        if ends is not None and ends <= service.clock.now():
            opening.fail(f"--expires-at must be in the future, and {moment(ends)} isn't", code=2)
        new = NewKey(name=name, scopes=frozenset(scope), expires_at=ends, is_test=service.settings.is_test)
        return await service.run(opening.actor_of(operator), lambda work: operations.create(work, new))

    output.one(opening.run(made), as_json=json)


@app.command
def rotate(key_id: str, *, overlap_hours: int = 24, operator: Operator = None, json: AsJson = False) -> None:
    """Make a new key. The old key stays good for some hours.

    Parameters
    ----------
    overlap_hours
        For how many hours the old key stays good.
    """

    async def made(service: Service) -> KeyWithText:
        overlap, is_test = timedelta(hours=overlap_hours), service.settings.is_test
        return await service.run(
            opening.actor_of(operator),
            lambda work: operations.rotate(work, key_id, overlap=overlap, is_test=is_test),
        )

    output.one(opening.run(made), as_json=json)


@app.command
def revoke(key_id: str, *, operator: Operator = None, json: AsJson = False) -> None:
    """End a key at once."""
    output.one(opening.act(operator, lambda work: Key.of(operations.revoke(work, key_id))), as_json=json)
