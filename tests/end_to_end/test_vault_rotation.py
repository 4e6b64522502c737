"""The key ring is rotated under load: everything is resealed while payments are created, paid and told."""

import asyncio
import os
import subprocess
import sys
from typing import Any
from uuid import uuid4

import httpx
import pytest
from attrs import Factory, define

from bakong_service.cli.stage import Actor, Stage

NEW = "the-second-key-of-this-stage-9f2c71e0"
CUSTOMERS = 2


@define
class Customers:
    """They create payments and pay them, until they are stopped. Each answer must be a good one."""

    stage: Stage
    service: Actor
    paid: list[str] = Factory(list)
    stopped: bool = False

    async def buy(self) -> None:
        assert self.stage.simulator is not None
        async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
            while not self.stopped:
                headers = {"Authorization": f"Bearer {self.stage.api_key}", "Idempotency-Key": str(uuid4())}
                body = {"amount": "2.50", "currency": "USD"}
                created = await http.post(f"{self.service.url}/v1/payments", json=body, headers=headers)
                assert created.status_code == 201, created.text
                payment = created.json()
                url = f"{self.stage.simulator.url}/_simulator/pay"
                assert (await http.post(url, json={"qr": payment["qr"]})).is_success
                self.paid.append(payment["reference"])
                await asyncio.sleep(0.2)  # the commands beside it need some of two cores
                again = await http.post(f"{self.service.url}/v1/payments", json=body, headers=headers)
                assert again.json() == payment, "the stored answer, whichever key it is sealed with"

    async def until(self, count: int) -> None:
        """Wait until so many more have been paid."""
        wanted = len(self.paid) + count
        while len(self.paid) < wanted:  # noqa: ASYNC110 - each look is cheap
            await asyncio.sleep(0.05)


def command(stage: Stage, database: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bakong_service.cli", *arguments],
        env={**os.environ, **stage.settings(1), **database},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def told(stage: Stage, database: dict[str, str], *arguments: str) -> str:
    """What a command printed. It must have ended well."""
    done = command(stage, database, *arguments)
    out, err = done.communicate(timeout=120)
    assert done.returncode == 0, out + err
    return out


def reseal_killed(stage: Stage, database: dict[str, str]) -> None:
    """Kill a run as soon as it has done its first transaction."""
    killed = command(stage, database, "vault", "reseal")
    assert killed.stderr is not None
    assert "resealed" in killed.stderr.readline()
    killed.kill()
    killed.communicate(timeout=60)


async def settled(customers: Customers) -> None:
    headers = {"Authorization": f"Bearer {customers.stage.api_key}"}
    receiver = customers.stage.receiver
    async with httpx.AsyncClient(headers=headers, timeout=10, trust_env=False) as http:
        for reference in customers.paid:
            for _ in range(600):
                answer = await http.get(f"{customers.service.url}/v1/payments/{reference}")
                if answer.json()["status"] == "paid" and reference in _told_paid(receiver.events):
                    break
                await asyncio.sleep(0.1)
            else:
                raise AssertionError(f"{reference} isn't paid and told: {answer.text}")


def _told_paid(events: list[dict[str, Any]]) -> set[str]:
    return {event["data"]["reference"] for event in events if event["type"] == "payment.paid"}


@pytest.mark.uncounted
@pytest.mark.timeout(0)
@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_the_ring_is_rotated_while_payments_are_created_paid_and_told(
    engine: str, request: pytest.FixtureRequest, stage: Stage
) -> None:
    database = {"DATABASE_URL": request.getfixturevalue("postgresql_url")} if engine == "postgresql" else {}
    rotated = {**database, "ENCRYPTION_KEYS": f"2026:{NEW}"}  # before ENCRYPTION_KEY, which is the older one
    alone = {**rotated, "ENCRYPTION_KEY": ""}

    async def play() -> Customers:
        old = await asyncio.to_thread(stage.start_service, "serve", **database)
        before = Customers(stage, old)
        await asyncio.gather(*(before.buy() for _ in range(CUSTOMERS)), _stop_after(before, 10))
        await asyncio.to_thread(old.stop)
        service = await asyncio.to_thread(stage.start_service, "serve", **rotated)
        customers = Customers(stage, service, before.paid)
        buying = [asyncio.create_task(customers.buy()) for _ in range(CUSTOMERS)]
        await customers.until(3)
        await asyncio.to_thread(reseal_killed, stage, rotated)
        await customers.until(3)
        await asyncio.to_thread(told, stage, rotated, "vault", "reseal")
        assert "newest key" in await asyncio.to_thread(told, stage, rotated, "vault", "check")
        await customers.until(3)
        customers.stopped = True
        await asyncio.gather(*buying)
        await settled(customers)
        await asyncio.to_thread(service.stop)
        assert stage.receiver.refused == []
        for line in service.log.read_text(encoding="utf-8").splitlines():
            assert not any(word in line for word in ('"error"', '"warning"', "Traceback")), line
        return customers

    customers = asyncio.run(play())
    service = stage.start_service("serve", **alone)
    headers = {"Authorization": f"Bearer {stage.api_key}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=10, trust_env=False) as backend:
        for reference in customers.paid:
            answer = backend.get(f"/v1/payments/{reference}")
            assert (answer.status_code, answer.json()["status"], answer.json()["qr"][:6]) == (200, "paid", "000201")
    assert "newest key" in told(stage, alone, "vault", "check")
    assert "all promises hold" in told(stage, alone, "verify")


async def _stop_after(customers: Customers, count: int) -> None:
    await customers.until(count)
    customers.stopped = True
