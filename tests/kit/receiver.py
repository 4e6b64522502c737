"""An HTTP server that receives webhooks, and whose every answer a test decides."""

import asyncio
from collections.abc import Awaitable, Callable

from attrs import Factory, define, field


@define
class Request:
    """What a receiver was sent."""

    target: str
    headers: dict[str, str]
    body: bytes


Answerer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def told(code: int, *headers: str, body: bytes = b"") -> Answerer:
    """Return an answer for a receiver to give: `told(503, "retry-after: 5", body=b"...")`."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {code} Told", f"content-length: {len(body)}", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)

    return answer


@define
class Receiver:
    """An HTTP server on a free port. Answers 204, or as the test says: `answers` first, then `answer`."""

    requests: list[Request] = Factory(list)
    answers: list[Answerer] = Factory(list)
    answer: Answerer = Factory(lambda: told(204))
    url: str = ""
    connections: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(factory=set)

    async def start(self, **options: object) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, **options)  # type: ignore[arg-type]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    @property
    def port(self) -> int:
        assert self._server is not None
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in head[1:] if ": " in line}
                body = await reader.readexactly(int(headers["content-length"]))
                request = Request(head[0].split(" ")[1], headers, body)
                self.requests.append(request)
                await (self.answers.pop(0) if self.answers else self.answer)(request, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the sender has gone
        finally:
            self._open.discard(writer)
            writer.close()
