"""A stage of real processes for each test."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest
from attrs import frozen

from bakong_service.cli.stage import Stage

Seen = TypeVar("Seen")


@frozen
class Backend:
    """The main backend: speaks to the service over HTTP as a customer would."""

    http: httpx.Client

    def create(self, **body: Any) -> dict[str, Any]:
        response = self.http.post("/v1/payments", json=body, headers={"Idempotency-Key": str(uuid4())})
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created

    def payment(self, reference: str) -> dict[str, Any]:
        response = self.http.get(f"/v1/payments/{reference}")
        assert response.status_code == 200, response.text
        payment: dict[str, Any] = response.json()
        return payment

    def wait_for(self, reference: str, *statuses: str) -> dict[str, Any]:
        return until(lambda: self.payment(reference), lambda payment: payment["status"] in statuses)


def until(look: Callable[[], Seen], reached: Callable[[Seen], bool], seconds: float = 25) -> Seen:
    ends_at = time.monotonic() + seconds
    while not reached(seen := look()):
        assert time.monotonic() < ends_at, f"not reached within {seconds} s; last seen: {seen}"
        time.sleep(0.05)
    return seen


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        stage.start_simulator()
        yield stage
    settings = stage.settings(0)
    secrets = [settings[name] for name in ("MAIN_BACKEND_API_KEY", "KEY_PEPPER", "ENCRYPTION_KEY", "WEBHOOK_SECRET")]
    logs = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in tmp_path.glob("*.log")}
    assert [name for name, text in logs.items() if any(secret in text for secret in secrets)] == []


@pytest.fixture
def backend(stage: Stage) -> Iterator[Callable[[], Backend]]:
    """A backend that speaks to the service started last."""
    clients: list[httpx.Client] = []

    def connect() -> Backend:
        clients.append(
            httpx.Client(
                base_url=stage.services[-1].url,
                headers={"Authorization": f"Bearer {stage.api_key}"},
                timeout=10,
                trust_env=False,
            )
        )
        return Backend(clients[-1])

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def pay(stage: Stage) -> Callable[..., None]:
    """A bank app that scans a code and pays it, rightly unless told otherwise."""

    def pay(qr: str, **otherwise: Any) -> None:
        assert stage.simulator is not None
        url = f"{stage.simulator.url}/_simulator/pay"
        response = httpx.post(url, json={"qr": qr, **otherwise}, trust_env=False)
        assert response.is_success, response.text

    return pay
