"""What 1,000 waits at once cost on one event loop: CPU, memory, calls, and whether a budget of calls a second holds.

    python benchmarks/waiting/run.py [--waits 1000] [--seconds 60] [--calls-per-second 50]

Real time and a real event loop; Bakong is the simulator in memory, whose work is counted in. Seven of ten codes are
paid at a random moment of the run; the others expire at its end and are asked for a last time.
"""

import argparse
import asyncio
import collections
import random
import resource
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

import httpx

from bakong_khqr import KHQR
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.calling.budget import DailyBudget
from bakong_khqr.calling.polling import GROWING
from bakong_khqr.errors import PaymentExpired
from bakong_khqr.testing import BakongSimulator


async def run(waits: int, seconds: float, calls_per_second: float) -> None:
    """Wait for all, pay most, and print what it took."""
    simulator = BakongSimulator()
    budget = DailyBudget(None, calls_per_second=calls_per_second)
    rng = random.Random(1)
    sent: collections.Counter[int] = collections.Counter()
    began = time.monotonic()

    async def count(request: httpx.Request) -> None:
        sent[int(time.monotonic() - began)] += 1

    codes = [
        KHQR.individual(
            bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee", currency="USD", amount="2.50",
            bill_number=f"INV-{number}", expires_in=timedelta(seconds=seconds),
        )
        for number in range(waits)
    ]  # fmt: skip

    async def pay(code: KHQR, after: float) -> float:
        await asyncio.sleep(after)
        simulator.pay(code, created_at=datetime.now(UTC))
        return time.monotonic()

    async def wait(client: AsyncBakongClient, code: KHQR) -> float | None:
        try:
            await client.wait_for_payment(code, schedule=GROWING, grace=timedelta(seconds=2))
        except PaymentExpired:
            return None
        return time.monotonic()

    tracemalloc.start()
    cpu = time.process_time()
    async with httpx.AsyncClient(transport=simulator.transport(), event_hooks={"request": [count]}) as http:
        client = AsyncBakongClient("simulator", http_client=http, budget=budget)
        waiting = [asyncio.create_task(wait(client, code)) for code in codes]
        paying = {
            number: asyncio.create_task(pay(code, rng.uniform(0, seconds * 0.8)))
            for number, code in enumerate(codes)
            if rng.random() < 0.7
        }
        await asyncio.sleep(min(5.0, seconds / 2))
        python_bytes = tracemalloc.get_traced_memory()[0]
        seen = await asyncio.gather(*waiting)
        paid_at = {number: await task for number, task in paying.items()}
    took = time.monotonic() - began
    cpu = time.process_time() - cpu
    delays = sorted(moment - at for number, at in paid_at.items() if (moment := seen[number]) is not None)
    calls = sum(sent.values())
    print(f"waits                 {waits}, paid {len(paid_at)}, seen {len(delays)}, expired {seen.count(None)}")
    print(
        f"time                  {took:.1f} s, CPU {cpu:.2f} s ({100 * cpu / took:.0f} % of a core, with tracing memory)"
    )
    print(
        f"memory                {python_bytes / waits / 1024:.1f} KiB a wait, peak of the process {_peak_mib():.0f} MiB"
    )
    print(f"calls                 {calls} ({calls / waits:.1f} a wait, {1000 * cpu / calls:.2f} ms CPU each)")
    print(f"busiest second        {max(sent.values())} calls, budget {calls_per_second:g}")
    print(f"from paid to seen     median {delays[len(delays) // 2]:.1f} s, p95 {delays[len(delays) * 95 // 100]:.1f} s")


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--waits", type=int, default=1000)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--calls-per-second", type=float, default=50)
    options = arguments.parse_args()
    asyncio.run(run(options.waits, options.seconds, options.calls_per_second))
