"""The service's two hot paths beside a bare application: same uvicorn, same load generator, taking turns."""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from bakong_service.cli.stage import Stage
from benchmarks.ratios.row import Row
from benchmarks.service.load import request, run

CONNECTIONS = 16
BARE = "a bare Starlette application"
PAYMENT = json.dumps({"amount": "2.50", "currency": "USD", "description": "Coffee"}).encode()


@frozen
class Server:
    """A process under load."""

    url: str
    pid: int
    key: str

    def create(self) -> bytes:
        """Return a request that makes a payment."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex, **self._key}
        return request(self.url, "POST", "/v1/payments", headers, PAYMENT)

    def status(self, reference: str) -> bytes:
        """Return a request for a payment's status."""
        return request(self.url, "GET", f"/v1/payments/{reference}", self._key)

    @property
    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def cpu_seconds(self) -> float | None:
        """Return what all threads of the process have worked so far; None where the system doesn't tell (not Linux)."""
        tasks = Path(f"/proc/{self.pid}/task")
        if not tasks.exists():
            return None
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


@contextmanager
def bare() -> Iterator[Server]:
    """A bare application in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.service.bare"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Server(f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid, "none")
    finally:
        process.terminate()
        process.wait()


@contextmanager
def service(database_url: str) -> Iterator[Server]:
    """The service on a database, without workers."""
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
        stage.start_simulator()
        started = stage.start_service(
            "serve", "--no-workers", DATABASE_URL=database_url, RATE_LIMIT="100000000/minute", LOG_LEVEL="warning"
        )
        yield Server(started.url, started.process.pid, stage.api_key)


def measure(database_url: str, name: str, *, rounds: int, seconds: float) -> Iterator[Row]:
    """Yield the ratios of `create` and `status` on one database, as answers a second and as CPU time."""
    with bare() as plain, service(database_url) as ours:
        first = asyncio.run(run(ours.url, ours.create, connections=CONNECTIONS, seconds=seconds, keep=500))
        references = [json.loads(body)["reference"] for body in first.bodies]
        turn = iter(range(10**9))

        def reference() -> str:
            return str(references[next(turn) % len(references)])

        paths: dict[str, Callable[[Server], bytes]] = {
            "create": lambda server: server.create(),
            "status": lambda server: server.status(reference()),
        }
        figures: dict[tuple[str, Server], list[tuple[float, float | None]]] = {}
        for _ in range(rounds):
            for what, make in paths.items():
                for server in (plain, ours):
                    figures.setdefault((what, server), []).append(_one_run(server, make, seconds))
    for what in paths:
        for at, unit in enumerate(("a second", "us of CPU")):
            own, theirs = (_median([row[at] for row in figures[what, server]]) for server in (ours, plain))
            if own is not None and theirs is not None:
                yield Row(what=f"{what}, {name}", beside=BARE, unit=unit, ours=own, theirs=theirs)


def _one_run(server: Server, make: Callable[[Server], bytes], seconds: float) -> tuple[float, float | None]:
    """Return answers a second, and microseconds of the server's CPU an answer. Raises `RuntimeError` for a refusal."""
    before = server.cpu_seconds()
    measured = asyncio.run(run(server.url, lambda: make(server), connections=CONNECTIONS, seconds=seconds))
    after = server.cpu_seconds()
    if not measured.statuses.keys() <= {200, 201}:
        raise RuntimeError(f"the answers were {measured.statuses}: nothing to compare")
    worked = None if before is None or after is None else (after - before) / len(measured.latencies) * 1e6
    return measured.per_second, worked


def _median(figures: list[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return statistics.median(known) if known else None
