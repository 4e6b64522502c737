"""One POST to an endpoint, only to a checked address, and within ten seconds in all.

Connections are kept for the next POST, but not for long.
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
from bakong_service.domain.delivery import AttemptResult
from bakong_service.domain.endpoint import Address, Target, TargetPolicy
from bakong_service.webhooks.connection import Connection, Reading
from bakong_service.webhooks.guard import UnsafeAddress, vetted
from bakong_service.webhooks.resolver import Resolver

DEADLINE_SECONDS = 10.0
_LIFE_SECONDS = 30.0
"""How long a connection is used, even if it is busy. Then the name is resolved and its addresses are checked again, so
that the service soon stops calling an address that the endpoint has given up."""
_IDLE_CONNECTIONS = 32  # per endpoint

Connect = Callable[[Address, Target, ssl.SSLContext | None], Awaitable[Connection]]


class Sender:
    """Posts to endpoints. Close it with `close`.

    It doesn't limit the number of posts at once: the worker that delivers does.
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

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> AttemptResult:
        """Post `body` and return the answer. An error is part of the answer, and isn't raised."""
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
        return AttemptResult(
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
                # The endpoint closed the idle connection at this moment, so post again on a new one.
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
            tls = self._tls = (
                self._tls or httpx.create_ssl_context()
            )  # made once, because it reads every root certificate
        failure: Exception | None = None
        for address in addresses:
            try:
                # An address that doesn't answer must leave time for the next one.
                async with asyncio.timeout(self._deadline_seconds / (len(addresses) + 1)):
                    return await self._connect(address, target, tls)
            except OSError as error:  # TimeoutError is one
                failure = error
        assert failure is not None  # `vetted` returns at least one address
        raise failure

    def _kept(self, target: Target) -> Connection | None:
        oldest = time.monotonic() - _LIFE_SECONDS
        connections = self._idle[target.origin]
        while connections:
            connection = connections.pop()  # the one that was used last, so that the others grow old and are closed
            if connection.is_usable and connection.opened_at >= oldest:
                return connection
            connection.close()
        return None

    def _keep(self, target: Target, connection: Connection) -> None:
        self._idle[target.origin].append(connection)
        oldest = time.monotonic() - _LIFE_SECONDS
        for connections in self._idle.values():
            # Looking at the first one only is quick; when it is closed, the next one becomes the first.
            while connections and (connections[0].opened_at < oldest or len(connections) > _IDLE_CONNECTIONS):
                connections.pop(0).close()
