"""The developer token: kept sealed, renewed in time, by one replica, and never while a transaction is open."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bakong_khqr.api import Token
from bakong_service.domain.payment import PaymentStatus
from bakong_service.domain.watching import Mode
from bakong_service.storage import schema
from bakong_service.storage.bakong import token as storage
from kit.scene import Scene
from kit.there import there

pytestmark = pytest.mark.anyio
EMAIL = "simulator@example.test"


async def due(scene: Scene) -> Any:
    payment = await scene.till.create()
    scene.till.later(seconds=3)
    return payment


def renewals(scene: Scene) -> int:
    return scene.calls("renew_token")


async def test_a_token_is_renewed_two_weeks_before_it_ends_and_stored_sealed(scene: Scene) -> None:
    old = scene.bakong.issue_token(lifetime=timedelta(days=14))
    scene.restart(token=old, email=EMAIL)
    await due(scene)
    await scene.step()
    assert renewals(scene) == 1
    row = await scene.till.run(lambda c: dict(c.execute(select(schema.provider_token)).mappings().one()))
    kept = there(await scene.till.run(lambda c: storage.current(c, scene.till.business.vault, setting=old)))
    assert kept.text != old
    assert kept.text.encode() not in row["token_enc"]
    assert there(kept.expires_at) > scene.till.now + timedelta(days=80)
    scene.restart()
    await due(scene)
    await scene.step()
    assert renewals(scene) == 0
    client = scene.watcher.provider._tokens.client
    assert client.token == Token(kept.text)


async def test_a_refused_token_is_renewed_once_and_the_payment_is_found(scene: Scene) -> None:
    scene.restart(token="refused", email=EMAIL)
    payment = await due(scene)
    scene.pay(payment)
    await scene.step()
    assert (await scene.till.payment(payment)).status is PaymentStatus.PAID
    assert renewals(scene) == 1
    assert scene.mode() is Mode.BULK


async def test_replicas_renew_a_token_once(scene: Scene) -> None:
    scene.bakong.configure(revoke_on_renew=True)
    old = scene.bakong.issue_token(lifetime=timedelta(days=10))
    scene.restart(token=old, email=EMAIL)
    replicas = [scene.watcher, scene.another(), scene.another()]
    for _ in range(60):
        await scene.till.create()
    scene.till.later(seconds=3)
    await asyncio.gather(*(replica.step(scene.till.now) for replica in replicas))
    assert renewals(scene) == 1
    scene.till.later(minutes=2)
    for replica in replicas:
        await scene.till.create()
        scene.till.later(seconds=3)
        await replica.step(scene.till.now)
    assert renewals(scene) == 0
    assert scene.watcher.counts["unauthorized"] == 0


async def test_without_an_address_an_ending_token_is_an_alert(scene: Scene) -> None:
    scene.restart(token=scene.bakong.issue_token(lifetime=timedelta(days=1)))
    await due(scene)
    await scene.step()
    assert scene.watcher.provider._tokens.alerts == 1
    assert scene.watcher.counts["not_found"] == 1


async def test_a_token_that_nothing_renews_blocks_and_changes_no_payment(scene: Scene) -> None:
    scene.restart(token="refused", email="nobody@example.test")
    payment = await due(scene)
    await scene.step()
    assert (scene.mode(), scene.watcher.provider.access.reason) == (Mode.BLOCKED, "unauthorized")
    assert (await scene.till.payment(payment)).status is PaymentStatus.PENDING
    assert scene.watcher.provider._tokens.alerts == 1
    scene.restart(email=EMAIL)
    scene.pay(payment)
    await scene.live(minutes=6)
    assert (await scene.till.payment(payment)).status is PaymentStatus.PAID


async def test_an_early_renewal_that_failed_is_tried_six_hours_later_and_a_refusal_does_not_wait_for_it(
    scene: Scene,
) -> None:
    old = scene.bakong.issue_token(lifetime=timedelta(days=10))
    scene.restart(token=old, email=EMAIL)
    scene.bakong.inject("dropped", endpoint="renew_token")
    await due(scene)
    await scene.step()
    assert (renewals(scene), scene.watcher.provider._tokens.alerts) == (1, 1)
    for minutes in (2, 300):
        scene.till.later(minutes=minutes)
        await due(scene)
        await scene.step()
        assert renewals(scene) == 0
    scene.till.later(hours=1)
    scene.bakong.inject("dropped", endpoint="renew_token")
    payment = await due(scene)
    await scene.step()
    assert renewals(scene) == 1
    scene.bakong.inject("unauthorized", endpoint="check_transaction_by_md5_list")
    scene.till.later(minutes=2)
    await scene.step()
    assert renewals(scene) == 1
    assert (await scene.till.payment(payment)).last_outcome == "not_found"
    kept = there(await scene.till.run(lambda c: storage.current(c, scene.till.business.vault, setting=old)))
    assert there(kept.expires_at) > scene.till.now + timedelta(days=80)


async def test_a_token_without_a_date_is_used_as_it_is(scene: Scene) -> None:
    await due(scene)
    await scene.step()
    assert renewals(scene) == 0
    kept = there(await scene.till.run(lambda c: storage.current(c, scene.till.business.vault, setting="simulator")))
    assert (kept.text, kept.expires_at) == ("simulator", None)


async def test_another_token_in_the_settings_is_a_new_beginning(scene: Scene) -> None:
    await due(scene)
    await scene.step()
    scene.restart(token=scene.bakong.issue_token())
    await due(scene)
    await scene.step()
    assert await scene.till.run(lambda c: storage.current(c, scene.till.business.vault, setting="simulator")) is None
    assert scene.watcher.counts["unauthorized"] == 0


async def test_who_lost_the_right_to_renew_stores_nothing(scene: Scene) -> None:
    vault, now = scene.till.business.vault, scene.till.now
    stored = await scene.till.run(lambda c: storage.adopt(c, vault, setting="t", expires_at=None))
    fence = there(await scene.till.run(lambda c: storage.lease(c, stored, lasting=timedelta(minutes=1), now=now)))
    assert await scene.till.run(lambda c: storage.lease(c, stored, lasting=timedelta(minutes=1), now=now)) is None
    assert not await scene.till.run(lambda c: storage.store(c, vault, text="new", expires_at=None, fence=fence - 1))
    assert await scene.till.run(lambda c: storage.store(c, vault, text="new", expires_at=None, fence=fence))


async def test_who_read_a_token_while_it_was_renewed_renews_nothing(scene: Scene) -> None:
    vault, now = scene.till.business.vault, scene.till.now
    stored = await scene.till.run(lambda c: storage.adopt(c, vault, setting="t", expires_at=None))
    fence = there(await scene.till.run(lambda c: storage.lease(c, stored, lasting=timedelta(minutes=1), now=now)))
    meanwhile = there(await scene.till.run(lambda c: storage.current(c, vault, setting="t")))
    assert await scene.till.run(lambda c: storage.store(c, vault, text="new", expires_at=None, fence=fence))
    assert await scene.till.run(lambda c: storage.lease(c, meanwhile, lasting=timedelta(minutes=1), now=now)) is None
    late = await scene.till.run(lambda c: storage.adopt(c, vault, setting="t", expires_at=None))
    assert late.text == "new"
