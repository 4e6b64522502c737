"""What a thousand open pages of payers cost one process, and how soon each of them learns of its change.

    python -m benchmarks.pages.run [--pages 1000] [--database-url URL]

Each page holds its stream of server-sent events, as a browser does. The pages open evenly, 100 a second. Memory is the
process's resident set, and the processor's time is what all its threads worked. Every payment is then cancelled by the
main backend, 50 a second; a page's delay runs from the answer to that request until its event arrives. Beside all this
a main backend reads a payment 50 times a second.
"""

import argparse
import asyncio
import math
import os
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from attrs import define

from bakong_service.cli.stage import Stage
from benchmarks.ratios.service import Server
from benchmarks.service.run import memory

QUIET_SECONDS = 20.0
OPENED_A_SECOND = 100
CANCELLED_A_SECOND = 50
READS_A_SECOND = 50


@define
class Page:
    """A page that a payer has open."""

    reference: str
    path: str
    cancelled_at: float | None = None
    told_at: float | None = None

    async def stay(self, url: str, opened: asyncio.Semaphore) -> None:
        """Open the page's stream, and wait until it ends."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"GET {self.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/event-stream\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"a page's stream was refused: {head.decode()}")
        await reader.readuntil(b"event: mark")
        opened.release()
        await reader.readuntil(b"event: end")
        self.told_at = time.perf_counter()
        writer.close()


async def reads(http: httpx.AsyncClient, path: str, seconds: float) -> list[float]:
    """Read a payment at an even pace, and return how long each answer took."""
    taken, ends_at = [], time.perf_counter() + seconds
    while (begun := time.perf_counter()) < ends_at:
        (await http.get(path)).raise_for_status()
        taken.append(time.perf_counter() - begun)
        await asyncio.sleep(max(0.0, begun + 1 / READS_A_SECOND - time.perf_counter()))
    return taken


async def open_all(pages: list[Page], url: str, group: asyncio.TaskGroup) -> None:
    """Open every page's stream at an even pace, and return when each has its first event."""
    opened = asyncio.Semaphore(0)
    for page in pages:
        group.create_task(page.stay(url, opened))
        await asyncio.sleep(1 / OPENED_A_SECOND)
    for _ in pages:
        await opened.acquire()


async def cancel(http: httpx.AsyncClient, pages: list[Page]) -> None:
    """Cancel every page's payment at an even pace."""

    async def one(page: Page) -> None:
        (await http.post(f"/v1/payments/{page.reference}/cancel", json={"reason": "a benchmark"})).raise_for_status()
        page.cancelled_at = time.perf_counter()

    async with asyncio.TaskGroup() as group:
        for page in pages:
            group.create_task(one(page))
            await asyncio.sleep(1 / CANCELLED_A_SECOND)


async def measure(count: int, settings: dict[str, str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
        service = stage.start_service("serve", "--no-workers", **settings)
        server = Server(service.url, service.process.pid, stage.api_key)
        headers = {"Authorization": f"Bearer {stage.api_key}"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30, trust_env=False) as http:
            pages = []
            for number in range(count):
                new = {"amount": "1.00", "currency": "USD", "user_id": f"u{number}"}
                made = (await http.post("/v1/payments", json=new, headers={"Idempotency-Key": f"{number}"})).json()
                pages.append(Page(made["reference"], urlsplit(made["checkout_url"]).path + "/events"))
            path = f"/v1/payments/{pages[0].reference}"
            usual, alone = await reads(http, path, QUIET_SECONDS), memory(service.process.pid)
            async with asyncio.TaskGroup() as group:
                opening = group.create_task(open_all(pages, service.url, group))
                meanwhile = await reads(http, path, count / OPENED_A_SECOND)
                await opening
                before = server.cpu_seconds() or math.nan  # not Linux
                beside = await reads(http, path, QUIET_SECONDS)
                after, full = server.cpu_seconds() or math.nan, memory(service.process.pid)
                group.create_task(cancel(http, pages))
                busy = await reads(http, path, count / CANCELLED_A_SECOND)
        share = 100 * (after - before) / QUIET_SECONDS
        delays = [max(0.0, page.told_at - page.cancelled_at) for page in pages if page.told_at and page.cancelled_at]
        _tell(f"{count} open pages, load average {os.getloadavg()[0]:.1f}", [
            ("memory without pages", f"{alone:.0f} MB"),
            ("memory with them", f"{full:.0f} MB, {(full - alone) * 1024 / count:.0f} kB a page"),
            ("processor while nothing changes", f"{share:.0f} % of a core, with {READS_A_SECOND} reads a second"),
            ("pages that learnt of their change", f"{len(delays)} of {count}"),
            ("its delay, p50 / p99 / most", f"{_ms(delays, 50)} / {_ms(delays, 99)} / {max(delays) * 1000:.0f} ms"),
            ("a read without pages, p50 / p99", f"{_ms(usual, 50)} / {_ms(usual, 99)} ms"),
            (f"the same while {OPENED_A_SECOND} open a second", f"{_ms(meanwhile, 50)} / {_ms(meanwhile, 99)} ms"),
            ("the same while all are open", f"{_ms(beside, 50)} / {_ms(beside, 99)} ms"),
            (f"the same while {CANCELLED_A_SECOND} change a second", f"{_ms(busy, 50)} / {_ms(busy, 99)} ms"),
        ])  # fmt: skip


def _ms(seconds: list[float], percentile: int) -> str:
    return f"{statistics.quantiles(seconds, n=100)[percentile - 1] * 1000:.0f}"


def _tell(title: str, rows: list[tuple[str, str]]) -> None:
    print(f"| {title} | |\n|---|---|")
    for row in rows:
        print(f"| {row[0]} | {row[1]} |")


def main() -> None:
    """Measure and print a table in Markdown."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pages", type=int, default=1000)
    arguments.add_argument("--database-url", help="PostgreSQL or SQLite; a new SQLite file without it")
    options = arguments.parse_args()
    settings = {} if options.database_url is None else {"DATABASE_URL": options.database_url}
    asyncio.run(measure(options.pages, settings))


if __name__ == "__main__":
    main()
