"""Strangers, and one key that takes too much, besiege a real service; everybody else is served all the same.

The short form runs everywhere and takes seconds. The long form, `nox -s siege`, measures: it prints the figures with
the load of the machine, which they depend on.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import httpx
import pytest
from attrs import field, frozen

from bakong_service.cli.stage import Actor, Stage

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.uncounted,
    pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read as Linux tells it"),
]

ATTACKS = Path(__file__).parent / "siege" / "attacks.py"
# how many sockets attack; a machine that tests share can't open a thousand in a second or two
SOCKETS = {
    "trailers": 8,
    "non_readers": 1000,
    "slow_headers": 1000,
    "slow_bodies": 1000,
    "streams": 1000,
    "pipelines": 60,
    "spoofed": 20,
}
SHORT_SECONDS, LONG_SECONDS = 1.0, 40.0
MOST_MEGABYTES = 200


@frozen
class Served:
    """How long a friend's requests took, and what was answered."""

    seconds: list[float] = field(factory=list)
    statuses: set[int] = field(factory=set)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[max(0, int(len(self.seconds) * 0.99) - 1)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("siege")) as stage:
        yield stage


@pytest.fixture(scope="module")
def service(stage: Stage) -> Actor:
    return stage.start_service(
        "serve", "--no-workers", RATE_LIMIT="1000/minute", NOTIFY_SECRET="a-secret-of-notices-0123456789-abcdef"
    )


def megabytes(actor: Actor) -> float:
    """The most memory that the process had so far."""
    status = Path(f"/proc/{actor.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def served(url: str, path: str, key: str | None, seconds: float) -> Served:
    """Ask ten times a second, as a friend does."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    found = Served()
    ends_at = perf_counter() + seconds
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        while (started := perf_counter()) < ends_at:
            found.statuses.add((await client.get(path)).status_code)
            found.seconds.append(perf_counter() - started)
            await asyncio.sleep(0.1)
    return found


async def besiege(stage: Stage, service: Actor, attack: str, seconds: float) -> tuple[Served, Served, Served, float]:
    """What a friend's reads take usually; what they and `/health/live` take under an attack; the memory."""
    async with httpx.AsyncClient(
        base_url=service.url, headers={"Authorization": f"Bearer {stage.api_key}"}, timeout=30, trust_env=False
    ) as main:
        body = {"amount": "1.00", "currency": "USD"}
        made = (await main.post("/v1/payments", json=body, headers={"Idempotency-Key": "a"})).json()
        path = f"/v1/payments/{made['reference']}"
        new = {"name": "shop", "scopes": ["payments:read"]}
        foe, friend = [(await main.post("/v1/keys", json=new)).json()["key"] for _ in range(2)]
    usual = await served(service.url, path, friend, seconds / 2)
    port = service.url.rpartition(":")[2]
    arguments = [str(ATTACKS), attack, port, str(seconds + 10), str(SOCKETS[attack])]
    attacker = await asyncio.create_subprocess_exec(sys.executable, *arguments, f"{path}/events", foe)
    try:
        await asyncio.sleep(1.5)  # until most of its sockets are open
        live, friendly = await asyncio.gather(
            served(service.url, "/health/live", None, seconds), served(service.url, path, friend, seconds)
        )
    finally:
        if attacker.returncode is None:
            attacker.kill()
        await attacker.wait()
    return usual, live, friendly, megabytes(service)


@pytest.mark.parametrize("attack", SOCKETS)
async def test_an_attack_leaves_health_and_other_keys_served(stage: Stage, service: Actor, attack: str) -> None:
    usual, live, friendly, memory = await besiege(stage, service, attack, SHORT_SECONDS)
    print(_figures(attack, usual, live, friendly, memory))
    assert (live.statuses, friendly.statuses) == ({200}, {200})
    assert memory < MOST_MEGABYTES
    assert max(live.p99, friendly.p99) < 10.0  # the long form measures; here it is enough that nobody waits for the foe


@pytest.mark.slow
@pytest.mark.parametrize("attack", SOCKETS)
async def test_an_attack_leaves_the_usual_speed(stage: Stage, service: Actor, attack: str) -> None:
    usual, live, friendly, memory = await besiege(stage, service, attack, LONG_SECONDS)
    print(_figures(attack, usual, live, friendly, memory))
    assert (live.statuses, friendly.statuses) == ({200}, {200})
    assert memory < MOST_MEGABYTES
    assert live.p99 < 0.1
    assert friendly.p99 < 2 * usual.p99


def _figures(attack: str, usual: Served, live: Served, friendly: Served, memory: float) -> str:
    return (
        f"{attack}: /health/live p99 {live.p99 * 1000:.0f} ms; a friend's read p99 {friendly.p99 * 1000:.0f} ms, "
        f"usually {usual.p99 * 1000:.0f} ms; memory {memory:.0f} MB; load average {os.getloadavg()[0]:.1f}"
    )
