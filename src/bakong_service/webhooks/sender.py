"""One POST to an endpoint: guarded, and within ten seconds from first to last.

Connections are kept for the next one, but not for long.
"""

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import h11
import httpx

from bakong_service import __version__
from bakong_service.domain.delivery import Answer
from bakong_service.domain.endpoint import Address, Target, TargetPolicy
from bakong_service.webhooks.connection import Connection, Reading
from bakong_service.webhooks.guard import UnsafeAddress, vetted
from bakong_service.webhooks.resolver import Resolver

DEADLINE_SECONDS = 10.0
_LIFE_SECONDS = 30.0
"""How long a connection takes new exchanges, however busy. Then the name is asked and the guard judges again, so
that an address that was given up isn't called for longer."""
_IDLE_CONNECTIONS = 32  # an endpoint

Connect = Callable[[Address, Target, ssl.SSLContext | None], Awaitable[Connection]]


class Sender:
    """Posts to endpoints. Close it with `close`.

    It doesn't limit how many posts are under way: each delivery has a place already when it comes here.
    """

    def __init__(
        self,
        policy: TargetPolicy,
        *,
        resolver: Resolver | None = None,
        connect: Connect = Connection.open,
        tls: ssl.SSLContext | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._policy = policy
        self._resolver = resolver or Resolver()
        self._connect = connect
        self._tls = tls
        self._deadline_seconds = deadline_seconds
        self._idle: dict[tuple[str, str, int], list[Connection]] = defaultdict(list)

    def close(self) -> None:
        """Close every idle connection."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post `body` and say what came back; whatever goes wrong is part of the answer."""
        started = time.monotonic()
        reading, error = Reading(), None
        try:
            target = Target.of(url, self._policy)
            async with asyncio.timeout(self._deadline_seconds):
                await self._post(target, headers, body, reading)
        except TimeoutError:
            error = f"timeout: not done within {self._deadline_seconds:g} s"
        except (ValueError, UnsafeAddress) as refused:
            error = f"refused: {refused}"
        except (h11.RemoteProtocolError, OSError) as failed:
            error = f"connection: {failed or type(failed).__name__}"
        return Answer(
            status=reading.status,
            error=None if reading.status is not None else error,
            retry_after=reading.retry_after,
            response=reading.text(),
            duration=timedelta(seconds=time.monotonic() - started),
        )

    async def _post(self, target: Target, headers: Mapping[str, str], body: bytes, reading: Reading) -> None:
        sent = [
            ("host", target.authority),
            ("user-agent", f"bakong-service/{__version__}"),
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            *headers.items(),
        ]
        kept = self._kept(target)
        if kept is not None:
            try:
                await self._exchange(kept, target, sent, body, reading)
            except (h11.RemoteProtocolError, OSError):
                if reading.begun:
                    raise
                # It was closed in the very moment that we used it: not an answer, so it is asked anew.
            else:
                return
        await self._exchange(await self._open(target), target, sent, body, reading)

    async def _exchange(
        self, connection: Connection, target: Target, headers: list[tuple[str, str]], body: bytes, reading: Reading
    ) -> None:
        go_on = False
        try:
            go_on = await connection.exchange(target.path, headers, body, reading)
        finally:
            if go_on:
                self._keep(target, connection)
            else:
                connection.close()

    async def _open(self, target: Target) -> Connection:
        addresses = await vetted(target, self._policy, self._resolver)
        tls = None
        if target.scheme == "https":
            tls = self._tls = self._tls or httpx.create_ssl_context()  # made once: it reads every root certificate
        failure: Exception | None = None
        for address in addresses:
            try:
                # One that doesn't answer leaves time for the next.
                async with asyncio.timeout(self._deadline_seconds / (len(addresses) + 1)):
                    return await self._connect(address, target, tls)
            except OSError as error:  # TimeoutError is one
                failure = error
        assert failure is not None  # there is an address
        raise failure

    def _kept(self, target: Target) -> Connection | None:
        oldest = time.monotonic() - _LIFE_SECONDS
        connections = self._idle[target.origin]
        while connections:
            connection = connections.pop()  # the one used last: the others may grow old and go
            if connection.is_usable and connection.opened_at >= oldest:
                return connection
            connection.close()
        return None

    def _keep(self, target: Target, connection: Connection) -> None:
        self._idle[target.origin].append(connection)
        oldest = time.monotonic() - _LIFE_SECONDS
        for connections in self._idle.values():
            # Only the first is looked at, which is quick: it grows too old itself and uncovers the next.
            while connections and (connections[0].opened_at < oldest or len(connections) > _IDLE_CONNECTIONS):
                connections.pop(0).close()
