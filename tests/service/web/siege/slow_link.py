"""A TCP proxy that holds answers back: `python slow_link.py PORT` prints its own port.

Each line of its standard input is the number of seconds that an answer is held back from then on. It is a process of
its own, so that a busy test doesn't slow it.
"""

import asyncio
import sys
from contextlib import suppress

held_seconds = 0.0


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one connection until either end closes it."""
    try:
        there = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    except OSError:
        writer.close()
        return
    await asyncio.gather(_pass(reader, there[1]), _pass(there[0], writer, answers=True))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False) -> None:
    with suppress(OSError):
        while received := await reader.read(65536):
            if answers:
                await asyncio.sleep(held_seconds)
            writer.write(received)
            await writer.drain()
    writer.close()


def _listen() -> None:
    global held_seconds
    held_seconds = float(sys.stdin.readline() or "0")
    print("taken", flush=True)


async def main() -> None:
    """Carry connections until the standard input ends."""
    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    asyncio.get_running_loop().add_reader(sys.stdin, _listen)
    await server.serve_forever()


asyncio.run(main())
