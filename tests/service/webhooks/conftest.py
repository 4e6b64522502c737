"""A shop with webhooks on a test clock, and a receiver whose every answer the test decides."""

from collections.abc import AsyncIterator

import pytest

from bakong_service.storage.engine.executor import Executor
from kit.receiver import Receiver
from kit.shopfront import Shopfront, a_shopfront


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.close()


@pytest.fixture
async def shop(executor: Executor) -> AsyncIterator[Shopfront]:
    shop = a_shopfront(executor)
    yield shop
    await shop.deliverer.aclose()
