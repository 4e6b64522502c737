"""What the service's answers cost when its database has grown, and how long a backup, a copy and a check take.

    python -m benchmarks.growth.run                                    1,000 and 100,000 payments, both databases
    python -m benchmarks.growth.run sqlite --payments 1000 1000000     others, on one of them

Each payment is made by the service's own operations, and two of three are paid. A figure is the median of 200 requests,
one after the other, in milliseconds; a list is asked for its first page and its 1,000th (or its last). `takings`,
`verify`, `backup` and `copy` read everything, so they take longer the larger the database is: they are timed once, in
seconds. The last column divides the largest database's figure by the smallest one's. PostgreSQL is TEST_DATABASE_URL's
server, else one out of the wheel.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx

from bakong_service import app
from bakong_service.cli.stage import Stage, free_port
from bakong_service.settings import Settings
from bakong_service.storage.payments import claims
from benchmarks.growth.filling import SPAN, fill
from benchmarks.service.run import memory, postgresql

TIMES = 200
PAGE = 100
DEEP = 1000


def main() -> None:
    """Measure the databases named on the command line, or both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("databases", nargs="*", metavar="database", help="sqlite, postgresql")
    parser.add_argument("--payments", nargs="+", type=int, default=[1000, 100_000], help="the sizes")
    options = parser.parse_args()
    databases = options.databases or ["sqlite", "postgresql"]
    if unknown := set(databases) - {"sqlite", "postgresql"}:
        parser.error(f"no such database: {', '.join(sorted(unknown))}")
    print(f"load {os.getloadavg()[0]:.1f} at the start")
    for name in databases:
        found = {size: _measured(name, size) for size in sorted(options.payments)}
        _show(name, found)


def _measured(database: str, size: int) -> dict[str, float]:
    if database == "postgresql":
        with postgresql() as url:
            return _figures(url, size)
    with tempfile.TemporaryDirectory() as folder:
        return _figures(f"sqlite:///{Path(folder) / 'payments.db'}", size)


def _figures(database_url: str, size: int) -> dict[str, float]:
    """What was measured of one database of one size: milliseconds, but for what says `(s)` or `(MB)`."""
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
        stage.start_simulator()
        environment = {
            **stage.settings(free_port()), "DATABASE_URL": database_url,
            "RATE_LIMIT": "100000000/minute", "LOG_LEVEL": "warning", "WEBHOOK_URL": "", "WEBHOOK_SECRET": "",
        }  # fmt: skip
        settings = Settings.from_environment(environment)
        seconds = asyncio.run(fill(settings, size, lambda done: _tell(done, size)))
        service = stage.start_service("serve", "--no-workers", **environment)
        before = memory(service.process.pid)
        with httpx.Client(
            base_url=service.url, headers={"Authorization": f"Bearer {stage.api_key}"}, timeout=600, trust_env=False
        ) as client:
            found = dict(_asked(client))
        service_after = memory(service.process.pid)
        found["claim of 50"] = asyncio.run(_claims(settings))
        found["memory of the service (MB)"] = service_after
        found["what the requests added to it (MB)"] = service_after - before
        service.stop()
        found |= dict(_commands(environment, Path(folder)))
        return {"making the payments (s)": seconds, **found}


def _asked(client: httpx.Client) -> Iterator[tuple[str, float]]:
    body = {"amount": "2.50", "currency": "USD"}

    def create() -> httpx.Response:
        return client.post("/v1/payments", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})

    reference = create().raise_for_status().json()["reference"]
    yield "create", _median(create)
    yield "status", _median(lambda: client.get(f"/v1/payments/{reference}"))
    for name, path in (("payments", "/v1/payments"), ("events", "/v1/events")):
        yield f"{name}, first page", _median(partial(client.get, path, params={"limit": PAGE}))
        cursor = _deep(client, path)
        asked: dict[str, str | int] = {"limit": PAGE, **cursor}
        yield f"{name}, a deep page", _median(partial(client.get, path, params=asked))
    today = time.time()
    days = [time.strftime("%Y-%m-%d", time.gmtime(at)) for at in (today - SPAN.total_seconds() - 86400, today + 86400)]
    begun = time.perf_counter()
    client.get("/v1/reports/takings", params={"from": days[0], "until": days[1], "by": "day"}).raise_for_status()
    yield "takings of all (s)", time.perf_counter() - begun


def _deep(client: httpx.Client, path: str) -> dict[str, str]:
    """Return what asks for the 1,000th page, or for the last one."""
    cursor: dict[str, str] = {}
    for _ in range(DEEP - 1):
        page = client.get(path, params={"limit": PAGE, **cursor}).raise_for_status().json()
        if not page["has_more"]:
            break
        cursor = {"starting_after": page["next_cursor"]}
    return cursor


def _median(ask: Callable[[], httpx.Response]) -> float:
    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        ask().raise_for_status()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


async def _claims(settings: Settings) -> float:
    """Return the median of claims of what is due in sixty days and more, which is everything that is open."""
    taken = []
    async with app.opened(settings) as service:
        for turn in range(20):
            now = service.clock.now() + SPAN + turn * SPAN
            begun = time.perf_counter()
            await service.executor.run(partial(claims.claim, limit=50, now=now))
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


def _commands(environment: dict[str, str], folder: Path) -> Iterator[tuple[str, float]]:
    copy = f"sqlite:///{folder / 'copy.db'}"
    yield "verify (s)", _command(environment, "verify")
    yield "backup (s)", _command(environment, "backup", str(folder / "backup"))
    yield "copy to SQLite, both verified (s)", _command(environment, "copy", "--to", copy)
    with postgresql() as url:
        yield "copy to PostgreSQL, both verified (s)", _command(environment, "copy", "--to", url)


def _command(environment: dict[str, str], *arguments: str) -> float:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bakong_service.cli", *arguments, "--json"],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{arguments[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    if arguments[0] == "copy":
        told = json.loads(done.stdout)
        sys.stderr.write(f"copied {told['payments']:,} payments, {told['rows']:,} rows; ledger {told['ledger']}\n")
    return time.perf_counter() - begun


def _tell(done: int, size: int) -> None:
    if sys.stderr.isatty() or done == size:
        sys.stderr.write(f"\r{done:,} of {size:,} payments made" + ("\n" if done == size else ""))


def _show(database: str, found: dict[int, dict[str, float]]) -> None:
    sizes = list(found)
    print(f"\n| {database} | " + " | ".join(f"{size:,}" for size in sizes) + " | ratio |")
    print("|---" * (len(sizes) + 2) + "|")
    for name in found[sizes[0]]:
        figures = [found[size][name] for size in sizes]
        print(f"| {name} | " + " | ".join(f"{f:,.2f}" for f in figures) + f" | {figures[-1] / figures[0]:.2f} |")


if __name__ == "__main__":
    main()
