"""How fast pending payments are swept, what a claim costs, and the memory it takes.

    python benchmarks/watcher/run.py                    10,000 pending on SQLite, 200 ms a call, 8 calls in flight
    python benchmarks/watcher/run.py --pending 100000 --database postgresql://...

Bakong is answered for in this process after a pause, so that its own work isn't measured. The floor of a sweep is
pending / 50 / 8 x 0.2 s: 5 s for 10,000.
"""

import argparse
import asyncio
import json
import resource
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import httpx
from sqlalchemy import Connection, insert

from bakong_service.clock import Clock
from bakong_service.domain.policy import Shop
from bakong_service.operations.business import Business
from bakong_service.storage.engine.executor import Executor, connect
from bakong_service.storage.migrations import upgrade
from bakong_service.storage.payments import claims
from bakong_service.storage.schema import payment_history, payments
from bakong_service.vault import Vault
from bakong_service.workers.loop import Loop
from bakong_service.workers.watcher_parts import watcher

MINUTE = timedelta(minutes=1)
Rows: TypeAlias = list[dict[str, object]]


def rows(count: int, first: int, now: datetime) -> tuple[Rows, Rows]:
    """Pending payments that are due, and their history."""
    made = now - MINUTE
    new = [
        {
            "id": n, "reference": f"pay_{n}", "bill_number": f"{n:013d}", "md5": f"{n:032x}", "purpose": "one_off",
            "amount": 250, "currency": "USD", "to_account": "sokha@aclb", "qr_enc": b"", "status": "pending",
            "version": 1, "created_at": made, "qr_expires_at": made + 10 * MINUTE, "deadline_at": made + 15 * MINUTE,
            "watch_until": made + 1440 * MINUTE, "next_check_at": now, "next_check_reason": "payer_may_pay",
            "credit_reserved": 0, "priority": 2,
        }
        for n in range(first, first + count)
    ]  # fmt: skip
    history = [
        {
            "subject_id": row["id"], "version": 1, "new_status": "pending", "reason": "created", "actor": "benchmark",
            "at": made,
        }
        for row in new
    ]  # fmt: skip
    return new, history


async def fill(executor: Executor, count: int) -> None:
    now = datetime.now(UTC)
    for first in range(1, count + 1, 5000):
        new, history = rows(min(5000, count + 1 - first), first, now)

        def write(connection: Connection, new: Rows = new, history: Rows = history) -> None:
            connection.execute(insert(payments), new)
            connection.execute(insert(payment_history), history)

        await executor.run(write)


def answer(request: httpx.Request) -> bytes:
    items = [
        {"md5": md5, "status": "NOT_FOUND", "message": "Transaction could not be found. Please check and try again"}
        for md5 in json.loads(request.content)
    ]
    return json.dumps({"responseCode": 0, "responseMessage": "ok", "errorCode": None, "data": items}).encode()


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pending", type=int, default=10_000)
    options.add_argument("--call-seconds", type=float, default=0.2)
    options.add_argument("--claims", type=int, default=200, help="claims of 50 that are timed before the sweep")
    options.add_argument("--database", default=f"sqlite:///{tempfile.mkdtemp()}/sweep.db")
    given = options.parse_args()

    calls, asked = 0, set[str]()
    swept = asyncio.Event()

    async def bakong(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        await asyncio.sleep(given.call_seconds)
        asked.update(json.loads(request.content))
        if len(asked) == given.pending:
            swept.set()
        return httpx.Response(200, content=answer(request), headers={"content-type": "application/json"})

    executor = connect(given.database)
    await executor.start()
    await executor.run(upgrade)
    await fill(executor, given.pending)
    business = Business(
        shop=Shop(bakong_account_id="sokha@aclb", merchant_name="Sokha"), vault=Vault({"k": b"k" * 32}, b"p" * 32)
    )
    clock = Clock()

    taken = []
    for _ in range(min(given.claims, given.pending // 50)):
        began = time.perf_counter()
        held = await executor.run(lambda c: claims.claim(c, limit=50, now=datetime.now(UTC)))
        taken.append(1000 * (time.perf_counter() - began))
        assert len(held) == 50
    await executor.run(claims.release_all)

    async with httpx.AsyncClient(transport=httpx.MockTransport(bakong)) as http:
        work = watcher(
            executor, business, clock, http=http, base_url="https://bakong.test", token="t", email=None,
            daily_limit=None,
        )  # fmt: skip
        began, cpu = time.perf_counter(), time.process_time()
        loop = asyncio.create_task(Loop("settlement", work.step, clock).run())
        await swept.wait()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        loop.cancel()
    taken.sort()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{executor.dialect}: {given.pending:,} pending, {calls} calls of {given.call_seconds} s")
    print(f"claim of 50: median {statistics.median(taken):.1f} ms, p99 {taken[int(len(taken) * 0.99)]:.1f} ms")
    print(f"sweep: {seconds:.1f} s, {cpu:.1f} s of them computing; most memory of the process: {memory:.0f} MB")
    await executor.close()


if __name__ == "__main__":
    asyncio.run(main())
