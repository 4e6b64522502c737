"""A shop with real processes, and the system's Chromium to look at its pages."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from attrs import frozen

from bakong_service.cli.stage import Stage

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_DESKTOP = {"viewport": {"width": 1280, "height": 900}}


def absent(what: str) -> None:
    """Skip, because a tool isn't there; where every test must run, fail. Only Linux has its browser on the path."""
    if os.environ.get("CI") and sys.platform == "linux":
        pytest.fail(f"{what} is missing, and CI runs every test")
    pytest.skip(f"{what} isn't installed")


@frozen
class Shop:
    """A main backend, the payers' bank, and the test clock."""

    stage: Stage
    http: httpx.Client

    @property
    def url(self) -> str:
        return self.stage.services[0].url

    def create(self, **changes: Any) -> dict[str, Any]:
        body = {"amount": "2.50", "currency": "USD", "description": "Two iced coffees"} | changes
        return self._ok(self.http.post("/v1/payments", json=body, headers={"Idempotency-Key": str(uuid4())}))

    def payment(self, payment: dict[str, Any]) -> dict[str, Any]:
        return self._ok(self.http.get(payment["links"]["self"]))

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        return self._ok(self.http.post(path, json=body))

    def pay(self, payment: dict[str, Any], **otherwise: Any) -> None:
        self.post("/v1/test/pay", reference=payment["reference"], **otherwise)

    def advance(self, seconds: int) -> None:
        self.post("/v1/test/clock/advance", seconds=seconds)

    def simulator(self, action: str, **body: Any) -> None:
        assert self.stage.simulator is not None
        answer = httpx.post(f"{self.stage.simulator.url}/_simulator/{action}", json=body, trust_env=False)
        assert answer.is_success, answer.text

    def until(self, payment: dict[str, Any], reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        ends_at = time.monotonic() + 20
        while not reached(seen := self.payment(payment)):
            assert time.monotonic() < ends_at, f"not reached; last seen: {seen}"
            time.sleep(0.05)
        return seen

    def until_status(self, payment: dict[str, Any], status: str) -> dict[str, Any]:
        return self.until(payment, lambda seen: seen["status"] == status)

    @staticmethod
    def _ok(answer: httpx.Response) -> dict[str, Any]:
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Any]]:
    """Start the system's Chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        absent("the Python package playwright")
    path = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        absent("Chromium")
    with sync_playwright() as playwright:
        yield lambda *arguments: playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *arguments])


@pytest.fixture(scope="session")
def chromium(launch: Callable[..., Any]) -> Iterator[Any]:
    """One browser for all tests."""
    with launch() as browser:
        yield browser


@pytest.fixture(scope="session")
def forced_dark(launch: Callable[..., Any]) -> Iterator[Any]:
    """A browser that makes every page dark that isn't."""
    with launch("--enable-features=WebContentsForceDark", "--force-dark-mode") as browser:
        yield browser


@pytest.fixture(scope="session")
def shop(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One shop for all tests, if there is a browser. Each test makes payments of its own."""
    with Stage(tmp_path_factory.mktemp("shop")) as stage:
        stage.start_simulator()
        service = stage.start_service(
            MERCHANT_NAME="Sokha Coffee",
            MERCHANT_NAME_KM="កាហ្វេ សុខា",
            SHOP_COLOUR="#0a5c36",
            RETURN_URLS="https://shop.example",
        )
        headers = {"Authorization": f"Bearer {stage.api_key}"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=10, trust_env=False) as http:
            yield Shop(stage, http)


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a page: `visit(url, language="km", dark=True, **profile)`."""
    contexts: list[Any] = []

    def visit(
        url: str, *, language: str = "en", dark: bool = False, profile: dict[str, Any] = _DESKTOP, **options: Any
    ) -> Any:
        scheme = "dark" if dark else "light"
        context = chromium.new_context(locale=language, color_scheme=scheme, **(profile | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where the pictures of the pages are kept: `PICTURES=folder`, else below `.pytest_cache`."""
    folder = Path(os.environ.get("PICTURES", ".pytest_cache/checkout"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
