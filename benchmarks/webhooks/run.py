"""How fast webhooks are: deliveries a second to a fast receiver, and the time from an event's commit to its arrival.

    python benchmarks/webhooks/run.py [--database postgresql://...] [--events 3000] [--rate 50]

The receiver is a process of its own on this machine; sender, receiver and database share its cores. Without a database
it takes a SQLite file in a temporary folder. Prints one JSON object.
"""

import argparse
import asyncio
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from bakong_service.clock import Clock
from bakong_service.domain.delivery import DeliveryState
from bakong_service.domain.endpoint import NewEndpoint, TargetPolicy
from bakong_service.domain.event import NewEvent
from bakong_service.domain.policy import Shop, WebhookPolicy
from bakong_service.operations.business import Business
from bakong_service.operations.unit_of_work import transaction
from bakong_service.operations.webhooks import endpoints
from bakong_service.storage.engine import signals
from bakong_service.storage.engine.executor import Executor, connect
from bakong_service.storage.migrations import upgrade
from bakong_service.storage.webhooks import delivery_records, outbox
from bakong_service.vault import Vault
from bakong_service.webhooks.sender import Sender
from bakong_service.workers.delivery import PLACES, Deliverer
from bakong_service.workers.dispatch import Dispatcher
from bakong_service.workers.loop import Loop

# ruff: noqa: ASYNC110, ASYNC220 - it looks from outside, and starts its receiver before anything is measured

RECEIVER = """
import asyncio, sys, time

class Receiver(asyncio.Protocol):
    # Answers 204 to each request it has read; says when each came, on standard output.
    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""
    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\\r\\n\\r\\n")) >= 0:
            head = self.buffer[:end].lower()
            length = int(head.split(b"content-length: ")[1].split(b"\\r\\n")[0])
            if len(self.buffer) < end + 4 + length:
                return
            event = head.split(b"webhook-id: ")[1].split(b"\\r\\n")[0].decode()
            sys.stdout.write(f"{event} {time.time()}\\n")
            self.buffer = self.buffer[end + 4 + length:]
            self.transport.write(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")

async def main():
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
DATA = {"object": "payment", "reference": "pay_" + "0" * 36, "status": "paid", "metadata": {"note": "x" * 600}}
TARGETS = TargetPolicy(private_networks=(ip_network("127.0.0.0/8"),), plain_http=True)


async def prepare(executor: Executor, business: Business, url: str) -> None:
    await executor.run(upgrade)
    new = NewEndpoint(url=url)
    await executor.run(transaction(business, "user", Clock().now(), lambda work: endpoints.create(work, new)))


async def happen(executor: Executor, business: Business, subject: str) -> tuple[str, float]:
    """Write an event; its id and when it was committed."""
    event = NewEvent(type="payment.paid", subject=subject, previous_status="pending", data=DATA)
    reference = await executor.run(
        lambda connection: outbox.append(connection, business.identifiers, event, now=Clock().now())
    )
    return reference, time.time()


def loops(executor: Executor, business: Business) -> list[Loop]:
    """The workers as the service runs them."""
    clock = Clock()
    dispatcher, deliverer = Dispatcher(executor, business, clock), Deliverer(executor, business, clock)

    def loop(name: str, step: Callable[[datetime], Awaitable[datetime]], wake: asyncio.Event, channel: str) -> Loop:
        executor.listen(channel, lambda _: wake.set())
        return Loop(name, step, clock, wake)

    return [
        loop("dispatch", dispatcher.step, asyncio.Event(), signals.EVENTS),
        loop("delivery", deliverer.step, deliverer.wake, signals.DELIVERIES),
    ]


async def delivered(executor: Executor) -> bool:
    pending = await executor.read(lambda c: delivery_records.page(c, limit=1, state=DeliveryState.PENDING))
    return not pending and await executor.read(outbox.oldest_undispatched) is None


async def throughput(executor: Executor, business: Business, count: int) -> dict[str, Any]:
    """Write `count` events of as many subjects, then start the workers and time them."""
    for start in range(0, count, 500):
        await asyncio.gather(*(happen(executor, business, f"pay_{n}") for n in range(start, min(start + 500, count))))
    started, worked = time.perf_counter(), time.process_time()
    running = [asyncio.create_task(loop.run()) for loop in loops(executor, business)]
    while not await delivered(executor):
        await asyncio.sleep(0.1)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return {
        "events": count,
        "seconds": round(seconds, 2),
        "deliveries_per_second": round(count / seconds),
        "cpu_ms_per_delivery": round(1000 * work / count, 2),
    }


async def alone(url: str, count: int) -> dict[str, Any]:
    """Post `count` bodies with the service's own HTTP client, as many at once as a worker does, and nothing else."""
    sender = Sender(TARGETS)
    body = json.dumps(DATA).encode()
    numbers = iter(range(count))

    async def place() -> None:
        for number in numbers:
            answer = await sender.post(url, {"webhook-id": f"alone_{number}"}, body)
            if answer.error is not None:
                raise RuntimeError(answer.error)

    started, worked = time.perf_counter(), time.process_time()
    await asyncio.gather(*(place() for _ in range(PLACES)))
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    sender.close()
    return {"posts_per_second": round(count / seconds), "cpu_ms_per_post": round(1000 * work / count, 2)}


async def latency(
    executor: Executor, business: Business, arrivals: Callable[[], dict[str, float]], count: int, rate: float
) -> dict[str, Any]:
    """Write events at an even rate while the workers run; the time from each commit to its arrival."""
    running = [asyncio.create_task(loop.run()) for loop in loops(executor, business)]
    await asyncio.sleep(1)
    committed: dict[str, float] = {}
    started = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0, started + number / rate - time.perf_counter()))
        reference, at = await happen(executor, business, f"sub_{number}")
        committed[reference] = at
    while not await delivered(executor):
        await asyncio.sleep(0.05)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    came = arrivals()
    waits = sorted(1000 * (came[reference] - at) for reference, at in committed.items())
    return {
        "events": count,
        "per_second": rate,
        "p50_ms": round(waits[len(waits) // 2], 1),
        "p99_ms": round(waits[len(waits) * 99 // 100], 1),
        "max_ms": round(waits[-1], 1),
    }


async def measure(database: str, events: int, rate: float, folder: Path) -> dict[str, Any]:
    with (folder / "arrivals").open("w+", encoding="utf-8") as log:
        receiver = subprocess.Popen([sys.executable, "-u", "-c", RECEIVER], stdout=log)
        try:
            while not (port := (folder / "arrivals").read_text(encoding="utf-8")).endswith("\n"):
                await asyncio.sleep(0.05)
            business = Business(
                shop=Shop(bakong_account_id="shop@bank", merchant_name="Shop"),
                vault=Vault({"1": secrets.token_bytes(32)}, b"pepper"),
                webhooks=WebhookPolicy(targets=TARGETS),
            )
            executor = connect(database)
            await executor.start()
            url = f"http://127.0.0.1:{port.split()[0]}/hook"
            await prepare(executor, business, url)

            def arrivals() -> dict[str, float]:
                lines = (folder / "arrivals").read_text(encoding="utf-8").splitlines()[1:]
                return {reference: float(at) for reference, at in reversed([line.split() for line in lines])}

            result = {
                "database": executor.dialect,
                "alone": await alone(url, events),
                "throughput": await throughput(executor, business, events),
                "latency": await latency(executor, business, arrivals, events // 4, rate),
            }
            await executor.close()
            return result
        finally:
            receiver.terminate()
            receiver.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="a database URL; its schema is made or brought forward")
    parser.add_argument("--events", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=50, help="events a second while latency is measured")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = given.database or f"sqlite:///{Path(folder) / 'payments.db'}"
        print(json.dumps(asyncio.run(measure(database, given.events, given.rate, Path(folder))), indent=2))


if __name__ == "__main__":
    main()
