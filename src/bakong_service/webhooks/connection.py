"""A connection to an endpoint: one HTTP/1.1 exchange at a time, by h11 over an asyncio stream.

This code can't follow a redirect, keep a cookie, obey a proxy of the environment, or unpack a compressed body, which
could be a bomb. The caller limits the time of an exchange.
"""

import asyncio
import ssl
import time
from collections.abc import Sequence

import h11

from bakong_service.domain.endpoint import Address, Target

KEPT_BYTES = 2_000
"""How much of an answer's body is kept, to show it with the attempt."""
READ_BYTES = 64_000
"""How much of an answer's body is read. After a longer one, the connection is closed and not used again."""
_PART_BYTES = 16_384  # read at once
_HEADER_BYTES = 32_768  # the longest head of an answer

Header = tuple[str, str]


class Reading:
    """The part of an answer that has been read so far. Its status counts, even if the body never ends."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.retry_after: str | None = None
        self.begun = False  # whether a byte came: if none did, the same post may be sent on a new connection
        self._kept = bytearray()
        self._read = 0

    def take(self, part: bytes | bytearray) -> bool:
        """Take the next part of the body, and keep it up to KEPT_BYTES. Return whether to read more."""
        self._read += len(part)
        self._kept += part[: KEPT_BYTES - len(self._kept)]
        return self._read < READ_BYTES

    def text(self) -> str | None:
        """Return the kept beginning as text of at most KEPT_BYTES bytes, without NUL, which PostgreSQL refuses."""
        text = self._kept.decode("utf-8", "replace").replace("\0", "\ufffd")
        return text.encode()[:KEPT_BYTES].decode("utf-8", "ignore") or None


class Connection:
    """An open connection. `opened_at` is a time of the monotonic clock."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened_at = time.monotonic()
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)

    @classmethod
    async def open(cls, address: Address, target: Target, tls: ssl.SSLContext | None) -> "Connection":
        """Connect to an address of a target, without TLS if `tls` is None. TLS is verified for the target's name.

        Raises `OSError`.
        """
        name = None if tls is None else target.host
        opened = await asyncio.open_connection(
            str(address), target.port, ssl=tls, server_hostname=name, limit=_PART_BYTES
        )
        return cls(*opened)

    @property
    def is_usable(self) -> bool:
        """Whether another exchange may begin: the endpoint hasn't closed the connection."""
        return not (self._writer.is_closing() or self._reader.at_eof())

    def close(self) -> None:
        """Close the connection at once, without reading the rest."""
        self._writer.transport.abort()

    async def exchange(self, path: str, headers: Sequence[Header], body: bytes, reading: Reading) -> bool:
        """Post `body` and read the answer into `reading`. Return whether the connection may be used again.

        `headers` has every header, also `host` and `content-length`. If the answer breaks off, `reading` has what came.
        Raises `OSError`, and `h11.RemoteProtocolError` if the answer isn't HTTP.
        """
        request = h11.Request(method="POST", target=path, headers=list(headers))
        parts = [self._http.send(event) for event in (request, h11.Data(data=body), h11.EndOfMessage())]
        self._writer.write(b"".join(part for part in parts if part))
        await self._writer.drain()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                part = await self._reader.read(_PART_BYTES)
                reading.begun = reading.begun or bool(part)
                self._http.receive_data(part)
            elif isinstance(event, h11.Response):
                reading.status = event.status_code
                for name, value in event.headers:
                    if name == b"retry-after":
                        reading.retry_after = value.decode("latin-1")
            elif isinstance(event, h11.Data):
                if not reading.take(event.data):
                    return False  # the rest isn't read: the connection is closed
            elif isinstance(event, h11.EndOfMessage):
                return self._may_go_on()
            elif not isinstance(event, h11.InformationalResponse):
                return False

    def _may_go_on(self) -> bool:
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False  # one of the two said `Connection: close`
        if self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        return True
