"""Sends one kind of request over a number of connections as fast as the answers come, and measures each.

A client library would be the bottleneck here: this speaks just enough HTTP/1.1 (keep-alive, Content-Length).
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from attrs import Factory, define


@define
class Measured:
    """What came of a run: answers by status, and the seconds of each."""

    seconds: float = 0.0
    latencies: list[float] = Factory(list)
    statuses: dict[int, int] = Factory(dict)
    bodies: list[bytes] = Factory(list)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def milliseconds(self, percentile: int) -> float:
        return statistics.quantiles(self.latencies, n=100)[percentile - 1] * 1000


def request(url: str, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def run(url: str, make: Callable[[], bytes], *, connections: int, seconds: float, keep: int = 0) -> Measured:
    """Send what `make` makes over `connections` connections for `seconds`; keep the first `keep` bodies."""
    measured = Measured()
    ends_at = time.perf_counter() + seconds
    started = time.perf_counter()
    await asyncio.gather(*(_connection(url, make, ends_at, measured, keep) for _ in range(connections)))
    measured.seconds = time.perf_counter() - started
    return measured


async def _connection(url: str, make: Callable[[], bytes], ends_at: float, measured: Measured, keep: int) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    while (begun := time.perf_counter()) < ends_at:
        writer.write(make())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length) if length else b""
        measured.latencies.append(time.perf_counter() - begun)
        status = int(head[9:12])
        measured.statuses[status] = measured.statuses.get(status, 0) + 1
        if len(measured.bodies) < keep:
            measured.bodies.append(body)
    writer.close()
