"""How soon a payer sees the page of a payment on a slow phone.

    python -m benchmarks.pages.first_paint [--visits 5]

The profile is the "slow 4G" of Lighthouse: 150 ms a round trip, 1.6 Mbit/s down, 0.75 Mbit/s up, and a processor that
is slowed down four times, applied by Chromium's own emulation over the DevTools protocol (`--network 3g`: 400 ms and
400 kbit/s). The emulation delays each answer by a round trip. It doesn't add the round trips of DNS, TCP and TLS
that come before the first request. Each visit is a new visitor without any file of the page. The time runs from the
navigation to `first-contentful-paint`; `load` is when the last file is there. A row in Khmer fetches the fonts too.

It needs the package `playwright`, and Chromium on the path.
"""

import argparse
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import httpx
from attrs import frozen
from playwright.sync_api import sync_playwright

from bakong_service.cli.stage import Stage

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
_SLOWER_PROCESSOR = 4
_TIMES = """async () => {
  const paint = await new Promise((painted) => new PerformanceObserver((list) => {
    for (const entry of list.getEntriesByName("first-contentful-paint")) painted(entry.startTime);
  }).observe({ type: "paint", buffered: true }));
  const navigation = performance.getEntriesByType("navigation")[0];
  const files = performance.getEntriesByType("resource").filter((file) => file.responseEnd > 0);
  return { paint, page: navigation.responseEnd, load: navigation.loadEventEnd,
           bytes: navigation.transferSize + files.reduce((sum, file) => sum + file.transferSize, 0) };
}"""


@frozen(kw_only=True)
class Network:
    """What the emulation is told: the delay of each answer, and bits a second each way."""

    name: str
    round_trip_milliseconds: float
    down: float
    up: float


NETWORKS = {
    "4g": Network(name="slow 4G", round_trip_milliseconds=150, down=1_638_400, up=768_000),
    "3g": Network(name="slow 3G", round_trip_milliseconds=400, down=400_000, up=400_000),
}


def visit(browser: Any, url: str, *, language: str, network: Network) -> dict[str, float]:
    """Open the page as a new visitor, and return its times in milliseconds."""
    context = browser.new_context(locale=language, **_PHONE)
    try:
        page = context.new_page()
        devtools = context.new_cdp_session(page)
        devtools.send("Network.enable")
        limits = {
            "offline": False,
            "latency": network.round_trip_milliseconds,
            "downloadThroughput": network.down / 8,
            "uploadThroughput": network.up / 8,
        }
        devtools.send("Network.emulateNetworkConditions", limits)
        devtools.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWER_PROCESSOR})
        page.goto(url, wait_until="load", timeout=60_000)
        times: dict[str, float] = page.evaluate(_TIMES)
        return times
    finally:
        context.close()


def measure(visits: int, network: Network) -> None:
    """Print the table."""
    path = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        raise SystemExit("Chromium isn't on the path")
    print(f"| {network.name}, processor / {_SLOWER_PROCESSOR} | first paint | slowest | page read | loaded | bytes |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage, sync_playwright() as playwright:
        stage.start_simulator()
        service = stage.start_service(MERCHANT_NAME="Sokha Coffee", MERCHANT_NAME_KM="កាហ្វេ សុខា")
        headers = {"Authorization": f"Bearer {stage.api_key}", "Idempotency-Key": "first-paint"}
        body = {"amount": "2.50", "currency": "USD", "description": "Two iced coffees"}
        answer = httpx.post(f"{service.url}/v1/payments", json=body, headers=headers, trust_env=False)
        url = answer.raise_for_status().json()["checkout_url"]
        with playwright.chromium.launch(executable_path=path, args=["--no-sandbox"]) as browser:
            for language in ("en", "km"):
                visit(browser, url, language=language, network=network)  # the service has drawn the page once
                times = [visit(browser, url, language=language, network=network) for _ in range(visits)]
                median = {name: statistics.median(each[name] for each in times) for name in times[0]}
                print(
                    f"| in {language} | {median['paint']:.0f} ms | {max(each['paint'] for each in times):.0f} ms "
                    f"| {median['page']:.0f} ms | {median['load']:.0f} ms | {median['bytes']:.0f} |",
                    flush=True,
                )
    print(f"\nload average {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Measure and print a table in Markdown."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--visits", type=int, default=5, help="of which the median is shown")
    arguments.add_argument("--network", choices=NETWORKS, default="4g")
    options = arguments.parse_args()
    measure(options.visits, NETWORKS[options.network])


if __name__ == "__main__":
    main()
