"""A reader of the feed is told of a restore, keeps its place while nothing happens, and loses no event."""

from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from bakong_service.domain.event import NewEvent
from bakong_service.domain.feed import FIRST_EPOCH, FeedPlace
from bakong_service.operations.recovery import recovering
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.operations.webhooks import dispatching
from bakong_service.web.http.service import Service
from kit.backup import Backup

pytestmark = pytest.mark.anyio
FEED = "/v1/events"


async def happen(service: Service, *subjects: str) -> None:
    """Events, each with its place in the feed."""
    for subject in subjects:
        event = NewEvent(type="payment.paid", subject=subject, previous_status="pending", data={"status": "paid"})
        await service.run("user", partial(UnitOfWork.append, event=event))
        await service.run("user", dispatching.dispatch)


async def read(client: httpx.AsyncClient, cursor: str | None = None, **more: Any) -> dict[str, Any]:
    given = {} if cursor is None else {"starting_after": cursor}
    answer = await client.get(FEED, params={**given, **more})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def subjects(page: dict[str, Any]) -> list[str]:
    return [event["subject"] for event in page["data"]]


async def recover(service: Service, since: Any) -> None:
    await service.run(
        "operator:dara",
        lambda work: recovering.begin_epoch(
            work,
            since=since,
        ),
    )


async def refused(client: httpx.AsyncClient, cursor: str, name: str = "starting_after") -> dict[str, Any]:
    answer = await client.get(FEED, params={name: cursor})
    assert (answer.status_code, answer.json()["code"]) == (409, "feed_restored")
    body: dict[str, Any] = answer.json()
    return body


async def test_a_poll_that_finds_nothing_keeps_its_place(client: httpx.AsyncClient, service: Service) -> None:
    assert (await read(client))["next_cursor"] is None  # nothing ever happened: there is no place to keep
    await happen(service, "pay_1", "pay_2")
    cursor = (await read(client))["next_cursor"]
    quiet = await read(client, cursor)
    assert (quiet["data"], quiet["has_more"], quiet["next_cursor"]) == ([], False, cursor)
    assert (await read(client, cursor, type="payment.failed"))["next_cursor"] == cursor
    await happen(service, "pay_3")
    assert subjects(await read(client, quiet["next_cursor"])) == ["pay_3"]


async def test_a_page_backwards_that_finds_nothing_keeps_its_place(client: httpx.AsyncClient, service: Service) -> None:
    await happen(service, "pay_1", "pay_2")
    first = (await read(client, limit=1))["next_cursor"]
    answer = (await client.get(FEED, params={"ending_before": first})).json()
    assert (answer["data"], answer["next_cursor"]) == ([], first)


async def test_a_reader_is_told_of_a_restore_and_goes_on_from_where_both_feeds_are_one(
    client: httpx.AsyncClient, service: Service, backup: Backup
) -> None:
    await happen(service, "pay_1", "pay_2")
    behind = (await read(client, limit=1))["next_cursor"]
    service.clock.offset = timedelta(minutes=1)
    since = service.clock.now()
    await backup.take()
    await happen(service, "pay_3", "pay_4")
    ahead = (await read(client))["next_cursor"]

    await backup.restore()
    await recover(service, since)
    await happen(service, "pay_5", "pay_6", "pay_7")
    body = await refused(client, ahead)
    assert "next_cursor of this answer" in body["detail"]
    assert subjects(await read(client, body["next_cursor"])) == ["pay_5", "pay_6", "pay_7"]
    # One that hadn't read up to the backup goes on from its own place: it is told all the same.
    body = await refused(client, behind)
    assert subjects(await read(client, body["next_cursor"])) == ["pay_2", "pay_5", "pay_6", "pay_7"]
    await refused(client, ahead, "ending_before")
    # The cursors of the new epoch are good.
    cursor = (await read(client))["next_cursor"]
    assert (await read(client, cursor))["next_cursor"] == cursor


async def test_a_restore_that_nobody_told_the_service_of_is_noticed_by_the_cursor(
    client: httpx.AsyncClient, service: Service, backup: Backup
) -> None:
    await happen(service, "pay_1")
    await backup.take()
    await happen(service, "pay_2", "pay_3")
    cursor = (await read(client))["next_cursor"]
    await backup.restore()
    # It lies ahead of all that the feed ever gave out ...
    body = await refused(client, cursor)
    assert body["next_cursor"] is None
    assert "without a cursor" in body["detail"]
    # ... and after a while at the place of another event, which the reader must not skip.
    await happen(service, "pay_4", "pay_5", "pay_6")
    assert (await refused(client, cursor))["next_cursor"] is None


async def test_a_place_among_events_of_before_the_recovery_is_no_kept_place(
    client: httpx.AsyncClient, service: Service, backup: Backup
) -> None:
    """The service ran for a while after the restore, and the operator names a moment that is too late."""
    await happen(service, "pay_1")
    await backup.take()
    await happen(service, "pay_2")
    cursor = (await read(client))["next_cursor"]
    await backup.restore()
    await happen(service, "pay_3", "pay_4")
    service.clock.offset = timedelta(minutes=1)
    await recover(service, service.clock.now())
    assert (await refused(client, cursor))["next_cursor"] is None


async def test_a_cursor_of_an_unknown_epoch_is_refused(
    client: httpx.AsyncClient, service: Service, backup: Backup
) -> None:
    """The database was restored from a backup that is older than the recovery before it."""
    await happen(service, "pay_1")
    await backup.take()
    await recover(service, service.clock.now())
    cursor = (await read(client))["next_cursor"]
    await backup.restore()
    assert (await refused(client, cursor))["next_cursor"] is None


async def test_a_place_says_which_event_it_stands_after() -> None:
    place = FeedPlace.of(FIRST_EPOCH, 7, "evt_1")
    assert FeedPlace.from_bytes(place.as_bytes()) == place
    assert place.stands(FIRST_EPOCH, "evt_1")
    assert not place.stands(FIRST_EPOCH, "evt_2")
    assert not place.stands(FIRST_EPOCH, None)
    assert not place.stands("1" * 16, "evt_1")
