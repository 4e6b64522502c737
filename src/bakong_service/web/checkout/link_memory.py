"""Remembering the links to bank apps: Bakong is asked once for each code, because each question may cost a call."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

_MOST = 2000  # links, of about 100 bytes each

Ask = Callable[[str], Awaitable[str]]


def remembered(ask: Ask) -> Ask:
    """Return `ask` with a memory of its latest answers. What it raises isn't remembered."""
    links: OrderedDict[str, str] = OrderedDict()

    async def link(payload: str) -> str:
        if payload not in links:
            links[payload] = await ask(payload)
            if len(links) > _MOST:
                links.popitem(last=False)
        return links[payload]

    return link
