"""`kill -9` at random under load: what was acknowledged is there, once, and is settled.

CI kills four times on each database; `KILLS=200 pytest -m slow` is the long form.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from attrs import Factory, define

from bakong_service.cli.stage import Stage

CUSTOMERS, REPLICAS = 4, 3
KILLS, FEW_CUSTOMERS, FEW_REPLICAS = 4, 2, 2  # in CI, so that two cores start a process in a second or two
SETTLED_SECONDS = 60


@define
class Load:
    """Customers who create payments and pay them while services die; what each was told is kept."""

    stage: Stage
    dice: random.Random
    acknowledged: dict[str, str] = Factory(dict)  # reference -> the status it must reach
    stopped: bool = False

    async def customer(self) -> None:
        assert self.stage.simulator is not None
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            while not self.stopped:
                key = str(uuid4())
                created = await self.create(http, key)
                if created is None:
                    continue
                way = self.dice.choice(["paid", "paid", "review", "pending"])
                if way != "pending":
                    wrong = {"amount": "0.01"} if way == "review" else {}
                    paid = await http.post(
                        f"{self.stage.simulator.url}/_simulator/pay", json={"qr": created["qr"], **wrong}
                    )
                    assert paid.is_success, paid.text
                self.acknowledged[created["reference"]] = way
                await asyncio.sleep(self.dice.uniform(0, 0.2))

    async def create(self, http: httpx.AsyncClient, key: str) -> dict[str, str] | None:
        """Ask with one key until somebody answers, as a careful backend does."""
        while not self.stopped:
            if not self.stage.services:  # the only one is being started again
                await asyncio.sleep(0.05)
                continue
            service = self.dice.choice(self.stage.services)
            try:
                answer = await http.post(
                    f"{service.url}/v1/payments",
                    json={"amount": "2.50", "currency": "USD", "description": "Coffee"},
                    headers={"Authorization": f"Bearer {self.stage.api_key}", "Idempotency-Key": key},
                )
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 201:
                created: dict[str, str] = answer.json()
                return created
            assert answer.status_code in (409, 503), answer.text
            await asyncio.sleep(0.05)
        return None


async def kill_and_restart(stage: Stage, load: Load, kills: int, database: dict[str, str]) -> None:
    for _ in range(kills):
        await asyncio.sleep(load.dice.uniform(0.1, 0.6))
        victim = load.dice.choice(stage.services)
        victim.kill()
        stage.services.remove(victim)
        await asyncio.to_thread(stage.start_service, "serve", **database)
    load.stopped = True


async def statuses(stage: Stage, references: list[str]) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {stage.api_key}"}
    async with httpx.AsyncClient(base_url=stage.services[0].url, headers=headers, timeout=10, trust_env=False) as http:
        answers = [await http.get(f"/v1/payments/{reference}") for reference in references]
    assert all(answer.status_code == 200 for answer in answers), "an acknowledged payment is missing"
    return {answer.json()["reference"]: answer.json()["status"] for answer in answers}


async def play(stage: Stage, kills: int, replicas: int, customers: int, database: dict[str, str], seed: int) -> None:
    stage.start_simulator()
    for _ in range(replicas):
        await asyncio.to_thread(stage.start_service, "serve", **database)
    load = Load(stage, random.Random(seed))
    await asyncio.gather(*(load.customer() for _ in range(customers)), kill_and_restart(stage, load, kills, database))

    assert len(load.acknowledged) >= kills
    open_still = dict(load.acknowledged)
    ends_at = time.monotonic() + SETTLED_SECONDS
    while open_still:
        assert time.monotonic() < ends_at, f"not settled: {open_still}"
        seen = await statuses(stage, list(open_still))
        wrong = {r: (seen[r], way) for r, way in open_still.items() if seen[r] not in (way, "pending")}
        assert not wrong, wrong
        open_still = {r: way for r, way in open_still.items() if seen[r] != way}
        await asyncio.sleep(0.2)


def verify(stage: Stage, database: dict[str, str]) -> None:
    command = [sys.executable, "-m", "bakong_service.cli", "verify"]
    environment = {**os.environ, **stage.settings(1), **database}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The settings of a database."""
    unpaid = {"PAYMENT_DEADLINE": "8h"}  # the long form may last longer than 15 minutes: "pending" is still right then
    if request.param == "sqlite":
        yield {"DATABASE_URL": f"sqlite:///{tmp_path / 'payments.db'}", **unpaid}
    else:
        yield {"DATABASE_URL": request.getfixturevalue("postgresql_url"), **unpaid}


@pytest.mark.uncounted
@pytest.mark.timeout(0)
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
@pytest.mark.parametrize("kills", [KILLS, pytest.param(int(os.environ.get("KILLS", "200")), marks=pytest.mark.slow)])
def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(
    database: dict[str, str], kills: int, tmp_path: Path
) -> None:
    customers, replicas = (FEW_CUSTOMERS, FEW_REPLICAS) if kills == KILLS else (CUSTOMERS, REPLICAS)
    if database["DATABASE_URL"].startswith("sqlite"):
        replicas = 1
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    with Stage(tmp_path) as stage:
        asyncio.run(play(stage, kills, replicas, customers, database, seed))
        verify(stage, database)
