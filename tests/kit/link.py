"""A bad link: a TCP proxy before PostgreSQL that breaks where a test tells it to."""

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum

from attrs import Factory, define
from sqlalchemy import URL, make_url

from bakong_service.storage.engine.postgresql_link import Timeouts

SHORT = Timeouts(connect=0.5, place=0.5, idle=0.3, answer=0.5, heartbeat=0.1)
_SLOW_SECONDS = 0.05
_LATE_SECONDS = 0.15
_GARBAGE = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"  # what a proxy says that knows no PostgreSQL


class Fault(Enum):
    """What becomes of a request, and of its link from then on."""

    SLOW = "slow"
    RESET_BEFORE = "reset before"  # it never arrives
    RESET_AFTER = "reset after"  # it is carried out; instead of an answer comes the reset
    LATE = "late"  # the link is reset, and the request arrives all the same, a moment later
    SILENT_BEFORE = "silent before"  # a black hole: it never arrives, and nobody says so
    SILENT_AFTER = "silent after"  # it is carried out, and the answer falls into the black hole
    GARBAGE = "garbage"  # it is carried out, and the answer is nonsense


@define(eq=False)
class Line:
    """One connection through the link."""

    link: "Link"
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    server: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    dead: bool = False  # what is said on it is heard by nobody; neither end knows
    answer_with: Fault | None = None
    _opened: bool = False
    _in_transaction: bool = False

    async def there(self) -> None:
        """Carry the client's requests."""
        while request := await self.client[0].read(65536):
            fault = None if self.dead else self.link.strike(self._moment(request))
            match fault:
                case Fault.SLOW:
                    await asyncio.sleep(_SLOW_SECONDS)
                case Fault.RESET_BEFORE:
                    self.reset()
                    return
                case Fault.LATE:
                    self.reset(server=False)
                    await asyncio.sleep(_LATE_SECONDS)
                case Fault.SILENT_BEFORE:
                    self.dead = True
                case _:
                    self.answer_with = fault
            if not self.dead:
                self.server[1].write(request)
        if not self.dead:
            self.server[1].close()

    async def back(self) -> None:
        """Carry the server's answers."""
        while answer := await self.server[0].read(65536):
            match self.answer_with:
                case _ if self.dead:
                    continue
                case Fault.SILENT_AFTER:
                    self.dead = True
                case Fault.RESET_AFTER:
                    self.reset()
                case Fault.GARBAGE:
                    self.client[1].write(_GARBAGE)
                case _:
                    self.client[1].write(answer)
        if not self.dead:
            self.client[1].close()

    def reset(self, *, server: bool = True) -> None:
        """Cut the link to the client with a RST, and to the server."""
        linger_not = struct.pack("ii", 1, 0)
        self.client[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        self.client[1].transport.abort()
        if server:
            self.server[1].transport.abort()

    def _moment(self, request: bytes) -> str:
        """What the client is about: connect, begin, statement, commit, rollback, or a read outside any transaction."""
        if not self._opened:
            self._opened = True
            return "connect"
        word = request[5:].split(b" ")[0].strip(b";\0").decode("latin-1").lower() if request[:1] == b"Q" else ""
        if word in ("begin", "commit", "rollback"):
            self._in_transaction = word == "begin"
            return word
        if request[0] == 0 or word == "set":  # its limits, which a session is given as it begins
            return "startup"
        return "statement" if self._in_transaction else "read"


@define(eq=False)
class Link:
    """All connections to the server. `arm` says what happens next; `darken` makes it a black hole."""

    connect: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
    url: URL
    dark: bool = False
    armed: deque[tuple[str, Fault]] = Factory(deque)
    lines: list[Line] = Factory(list)
    _tasks: set[asyncio.Task[None]] = Factory(set)

    def arm(self, *faults: tuple[str, str]) -> None:
        """Let each (moment, fault) happen in its turn, when its moment comes."""
        self.armed.extend((moment, Fault(fault)) for moment, fault in faults)

    def strike(self, moment: str) -> Fault | None:
        """The fault that happens now."""
        return self.armed.popleft()[1] if self.armed and self.armed[0][0] == moment else None

    def kill(self) -> None:
        """Let every open connection fall silent; new ones live."""
        for line in self.lines:
            line.dead = True

    def darken(self) -> None:
        """Nothing arrives any more, on old connections or new ones."""
        self.dark = True
        self.kill()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        line = Line(self, (reader, writer), await self.connect(), dead=self.dark)
        self.lines.append(line)
        try:
            with suppress(asyncio.CancelledError):  # the end; asyncio reports a task that takes it so as a failure
                await asyncio.gather(_whole(line.there()), _whole(line.back()))
        finally:
            for each in (line.client[1], line.server[1]):
                each.transport.abort()
            self.lines.remove(line)
            self._tasks.discard(task)

    async def close(self) -> None:
        """Cut every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _whole(pump: Awaitable[None]) -> None:
    with suppress(OSError):
        await pump


@asynccontextmanager
async def linked(database_url: str) -> AsyncIterator[Link]:
    """A link to a database."""
    url = make_url(database_url)
    folder = url.query.get("host", "")

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(folder, str) and folder.startswith("/"):
            return await asyncio.open_unix_connection(os.path.join(folder, f".s.PGSQL.{url.port or 5432}"))
        return await asyncio.open_connection(url.host or "127.0.0.1", url.port or 5432)

    link = Link(connect, url)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    link.url = url.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1], query={})
    try:
        yield link
    finally:
        server.close()
        await link.close()
