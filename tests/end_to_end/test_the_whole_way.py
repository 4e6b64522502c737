"""From the QR to the signed webhook, through real processes and real HTTP."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import httpx
import pytest
import zxingcpp
from PIL import Image

from bakong_khqr import KHQR, verify
from bakong_service.cli import demo as demo_command
from bakong_service.cli.stage import Stage, StageFailed

pytestmark = pytest.mark.uncounted  # processes do what other tests measure in this one


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bakong_service.cli", "demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=90, check=False)


def test_the_demo_plays_a_payment_through_and_stops_by_itself() -> None:
    done = run_demo("--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert set(result) == {"payment", "subscription", "webhooks", "seconds"}
    assert result["payment"]["status"] == "paid"
    assert (result["payment"]["amount"], result["payment"]["currency"]) == ("0.50", "USD")
    assert result["subscription"]["status"] == "active"
    assert {w["type"] for w in result["webhooks"]} == {"payment.created", "payment.paid", "subscription.activated"}
    assert " ms" in done.stderr


def test_a_step_of_the_demo_that_fails_names_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(self: Stage, *_: object, **__: object) -> None:
        raise StageFailed("no port")

    monkeypatch.setattr(Stage, "start_service", refuse)
    assert demo_command.demo(json_output=True) == 1
    shown = capsys.readouterr()
    assert "failed at: start the service" in shown.err
    assert "no port" in shown.err
    assert shown.out == ""


def test_a_payment_goes_from_its_qr_to_a_verified_webhook(
    stage: Stage, backend: Callable[[], Any], pay: Callable[..., None]
) -> None:
    service = stage.start_service()
    main_backend = backend()
    stage.receiver.failures_to_come = 1  # the first delivery fails and is tried again
    created = main_backend.create(user_id="u1", plan="PREMIUM")
    assert created["status"] == "pending"
    assert verify(created["qr"])
    assert KHQR.decode(created["qr"]).md5 == created["md5"]
    picture = main_backend.http.get(f"/v1/payments/{created['reference']}/qr.png")
    assert picture.headers["content-type"] == "image/png"
    (seen,) = zxingcpp.read_barcodes(Image.open(BytesIO(picture.content)))
    assert seen.text == created["qr"]
    assert main_backend.http.get(f"/v1/payments/{created['reference']}/qr.svg").text.startswith("<")

    paid_ms = int(time.time()) * 1000
    pay(created["qr"], created_at_ms=paid_ms)
    paid = main_backend.wait_for(created["reference"], "paid")
    subscription = main_backend.http.get("/v1/users/u1/subscription").json()
    assert (subscription["status"], subscription["plan"]) == ("active", "PREMIUM")
    paid_at = datetime.fromisoformat(paid["paid_at"])
    assert paid_at.timestamp() * 1000 == paid_ms
    assert datetime.fromisoformat(subscription["entitled_until"]) - paid_at == timedelta(days=30)

    def arrived() -> set[str]:
        return {event["type"] for event in stage.receiver.events}

    ends_at = time.monotonic() + 25
    while not arrived() >= {"payment.created", "payment.paid", "subscription.activated"}:
        assert time.monotonic() < ends_at, (arrived(), stage.receiver.refused, service.last_lines())
        time.sleep(0.05)
    assert stage.receiver.refused == []


def test_a_payment_survives_the_service_being_killed_right_after_its_creation(
    stage: Stage, backend: Callable[[], Any], pay: Callable[..., None]
) -> None:
    service = stage.start_service()
    created = backend().create(user_id="u1", plan="PREMIUM")
    service.kill()
    pay(created["qr"])
    stage.start_service()
    paid = backend().wait_for(created["reference"], "paid")
    assert paid["md5"] == created["md5"]


def test_money_that_is_not_this_payment_never_makes_it_paid(
    stage: Stage, backend: Callable[[], Any], pay: Callable[..., None]
) -> None:
    stage.start_service()
    main_backend = backend()
    differences = [{"amount": "0.01"}, {"currency": "KHR"}, {"to_account_id": "somebody@else"}]
    made = [main_backend.create(amount="2.50", currency="USD", description="Coffee") for _ in differences]
    for created, difference in zip(made, differences, strict=True):
        pay(created["qr"], **difference)
    for created, difference in zip(made, differences, strict=True):
        seen = main_backend.wait_for(created["reference"], "paid", "review")
        assert seen["status"] == "review", difference


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"user_id": "u1", "plan": "GOLD"}, 422, "/plan"),
        ({"amount": "2.505", "currency": "USD"}, 422, "/amount"),
        ({"amount": 2.5, "currency": "USD"}, 422, "/amount"),
        ({"amount": "2.50", "currency": "USD", "tip": "1"}, 422, "/tip"),
    ],
)
def test_bad_input_is_told_with_pointer_and_rule_and_stores_nothing(
    shared_service: httpx.Client, body: dict[str, Any], status: int, pointer: str
) -> None:
    answer = shared_service.post("/v1/payments", json=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert shared_service.get("/v1/payments").json()["data"] == []


def test_a_wrong_key_is_refused(shared_service: httpx.Client) -> None:
    answer = shared_service.get("/v1/payments", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.start_simulator()
        service = stage.start_service()
        key = {"Authorization": f"Bearer {stage.api_key}"}
        with httpx.Client(base_url=service.url, headers=key, trust_env=False) as client:
            yield client


def test_a_start_without_its_settings_says_what_is_missing(tmp_path: Any) -> None:
    command = [sys.executable, "-m", "bakong_service.cli", "serve"]
    environment = {"PATH": "", "ENCRYPTION_KEY": "too short and secret", "PORT": "web", "SYSTEMROOT": "C:\\Windows"}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    for name in ("BAKONG_MERCHANT_ID", "MERCHANT_NAME", "ENCRYPTION_KEY", "PORT"):
        assert name in done.stderr
    assert "web" in done.stderr
    assert "too short and secret" not in done.stderr
    assert "Traceback" not in done.stderr
