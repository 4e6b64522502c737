"""One POST to an endpoint: guarded, within ten seconds from first to last, and little of the answer read.

It stands on httpcore, the engine below httpx: there is the one place where a connection can be guarded, and there is no
code that would follow a redirect, keep a cookie, obey a proxy in the environment or unpack what was packed to burst.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from datetime import timedelta

import httpcore

from bakong_service import __version__
from bakong_service.domain.delivery import Answer
from bakong_service.domain.endpoint import Target, TargetPolicy
from bakong_service.webhooks.guard import Guard, UnsafeAddress
from bakong_service.webhooks.resolver import Resolver

DEADLINE_SECONDS = 10.0
KEPT_BYTES = 2_000
READ_BYTES = 64_000
_IDLE_SECONDS = 30.0
_IDLE_CONNECTIONS = 100


class Sender:
    """Posts to endpoints and keeps connections for the next time. Close it with `aclose`."""

    def __init__(
        self,
        policy: TargetPolicy,
        *,
        resolver: Resolver | None = None,
        backend: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._policy = policy
        self._deadline_seconds = deadline_seconds
        resolver = resolver or Resolver()
        # Every delivery has its own place already, so the pools set no limit: nobody waits for another's endpoint.
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                ssl_context=tls,
                max_connections=None,
                max_keepalive_connections=_IDLE_CONNECTIONS,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=Guard(policy, scheme, resolver, backend),
            )
            for scheme in ("https", "http")
        }

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post `body` and say what came back; whatever goes wrong is part of the answer."""
        started = time.monotonic()
        reading = _Reading()
        try:
            target = Target.of(url, self._policy)
            async with asyncio.timeout(self._deadline_seconds):
                await self._exchange(target, headers, body, reading)
        except TimeoutError:
            reading.error = f"timeout: not done within {self._deadline_seconds:g} s"
        except ValueError as error:
            reading.error = f"refused: {error}"
        except UnsafeAddress as error:
            reading.error = f"refused: {error}"
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            reading.error = f"connection: {error or type(error).__name__}"
        return Answer(
            status=reading.status,
            error=None if reading.status is not None else reading.error,
            retry_after=reading.retry_after,
            response=reading.text(),
            duration=timedelta(seconds=time.monotonic() - started),
        )

    async def _exchange(self, target: Target, headers: Mapping[str, str], body: bytes, reading: "_Reading") -> None:
        default = 443 if target.scheme == "https" else 80
        host = f"[{target.host}]" if ":" in target.host else target.host
        sent = {
            "host": host if target.port == default else f"{host}:{target.port}",
            "user-agent": f"bakong-service/{__version__}",
            "content-type": "application/json",
            "content-length": str(len(body)),
            **headers,
        }
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        async with self._pools[target.scheme].stream("POST", url, headers=list(sent.items()), content=body) as response:
            reading.status = response.status
            for name, value in response.headers:
                if name.lower() == b"retry-after":
                    reading.retry_after = value.decode("latin-1")
            async for part in response.aiter_stream():
                if not reading.take(part):
                    break  # leaving the block closes the connection, with whatever is still to come


class _Reading:
    """What has been read of an answer so far. A status that came counts, even if the body never ends."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.retry_after: str | None = None
        self.error: str | None = None
        self._kept = bytearray()
        self._read = 0

    def take(self, part: bytes) -> bool:
        """Keep the beginning; whether to read on."""
        self._read += len(part)
        self._kept += part[: KEPT_BYTES - len(self._kept)]
        return self._read < READ_BYTES

    def text(self) -> str | None:
        """What was kept, as text of as many bytes at most. PostgreSQL takes no NUL in a text."""
        text = self._kept.decode("utf-8", "replace").replace("\0", "\ufffd")
        return text.encode()[:KEPT_BYTES].decode("utf-8", "ignore") or None
