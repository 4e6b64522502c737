"""The head and the body of an answer travel together, and a head never waits for a body that is late."""

import asyncio
from typing import Any

import pytest

from bakong_service.web.http.server import _HeadWithBody

pytestmark = pytest.mark.anyio


class Wire(asyncio.Transport):
    """Notes what is written to it, and how it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def write(self, data: Any) -> None:
        self.told.append(bytes(data))

    def close(self) -> None:
        self.told.append("closed")

    def abort(self) -> None:
        self.told.append("aborted")

    def is_closing(self) -> bool:
        return self.told[-1:] in (["closed"], ["aborted"])


@pytest.fixture
async def wire() -> Wire:
    return Wire()


@pytest.fixture
async def transport(wire: Wire) -> _HeadWithBody:
    return _HeadWithBody(wire, asyncio.get_running_loop())


async def test_head_and_body_are_one_write(wire: Wire, transport: _HeadWithBody) -> None:
    transport.write(b"head")
    transport.write(b"body")
    assert wire.told == [b"headbody"]
    await asyncio.sleep(0)
    assert wire.told == [b"headbody"]


async def test_a_head_whose_body_is_late_goes_alone(wire: Wire, transport: _HeadWithBody) -> None:
    transport.write(b"head")
    await asyncio.sleep(0)
    transport.write(b"body")
    await asyncio.sleep(0)
    assert wire.told == [b"head", b"body"]


async def test_what_is_held_goes_before_the_end_and_not_after_it(wire: Wire, transport: _HeadWithBody) -> None:
    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)
    assert (wire.told, transport.is_closing()) == ([b"last words", "closed"], True)


async def test_nothing_is_written_to_a_link_that_was_cut(wire: Wire, transport: _HeadWithBody) -> None:
    transport.write(b"too late")
    transport.abort()
    await asyncio.sleep(0)
    assert wire.told == ["aborted"]
