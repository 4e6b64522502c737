"""The real commands as real processes: start, stop, and keep out of each other's way."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from bakong_service.cli.stage import Actor, Stage

pytestmark = pytest.mark.uncounted  # processes do what other tests measure in this one
COMMAND = [sys.executable, "-m", "bakong_service.cli"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture(scope="module")
def service(stage: Stage) -> Actor:
    """A service without workers: nothing here needs them."""
    return stage.start_service("serve", "--no-workers")


def run(stage: Stage, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, **stage.settings(0), **settings},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_one_serve_works_on_a_sqlite_file(stage: Stage, service: Actor) -> None:
    second = run(stage, "serve")
    assert second.returncode == 1
    assert "another `bakong-service serve` works on" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.skipif(os.name == "nt", reason="links take rights there")
def test_a_second_serve_through_a_symbolic_link_is_refused(stage: Stage, service: Actor, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(stage.folder / "payments.db")
    second = run(stage, "serve", DATABASE_URL=f"sqlite:///{link}")
    assert second.returncode == 1
    assert "another `bakong-service serve` works on" in second.stderr


def test_what_a_person_can_put_right_ends_the_start_with_a_message(stage: Stage, tmp_path: Path) -> None:
    missing = run(stage, "serve", DATABASE_URL=f"sqlite:///{tmp_path / 'none' / 'payments.db'}")
    assert (missing.returncode, "there is no such directory: make it first" in missing.stderr) == (1, True)
    option = run(stage, "serve", DATABASE_URL="postgresql://h/n?pgbouncer=true")
    assert (option.returncode, "the option pgbouncer isn't supported" in option.stderr) == (2, True)
    assert "Traceback" not in missing.stderr + option.stderr


def test_wrong_settings_end_the_start_with_their_names(stage: Stage) -> None:
    refused = run(stage, "serve", PORT="high", ENCRYPTION_KEY="planted-short-key", MERCHANT_NAME="")
    assert refused.returncode == 2
    for name in ("PORT", "ENCRYPTION_KEY", "MERCHANT_NAME"):
        assert name in refused.stderr
    assert "planted" not in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_merchant_that_no_khqr_can_name_ends_the_start(stage: Stage, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    refused = run(stage, "serve", BAKONG_MERCHANT_ID="a@b@c", DATABASE_URL=url)
    assert refused.returncode == 2
    assert "BAKONG_MERCHANT_ID" in refused.stderr


def test_commands_work_beside_a_running_service(stage: Stage, service: Actor) -> None:
    headers = {"Authorization": f"Bearer {stage.api_key}"}
    body = {"amount": "1.00", "currency": "USD"}
    payment = httpx.post(f"{service.url}/v1/payments", json=body, headers=headers, trust_env=False).json()
    shown = run(stage, "payments", "show", payment["md5"], "--json")
    assert shown.returncode == 0, shown.stderr
    assert payment["reference"] in shown.stdout
    cancelled = run(stage, "payments", "cancel", payment["reference"], "--reason", "test", "--operator", "dara")
    assert cancelled.returncode == 0, cancelled.stderr
    seen = httpx.get(f"{service.url}/v1/payments/{payment['reference']}", headers=headers, trust_env=False)
    assert seen.json()["status"] == "cancelled"
    history = httpx.get(f"{service.url}/v1/payments/{payment['reference']}/history", headers=headers, trust_env=False)
    assert history.json()["data"][0]["actor"] == "operator:dara"
    verified = run(stage, "verify")
    assert (verified.returncode, verified.stdout) == (0, "all promises hold\n")
    unknown = run(stage, "payments", "show", "pay_none")
    assert (unknown.returncode, unknown.stderr) == (1, "bakong-service: there is no payment pay_none\n")


def test_a_port_that_is_taken_ends_the_start(stage: Stage, service: Actor, tmp_path: Path) -> None:
    port = str(httpx.URL(service.url).port)
    refused = run(stage, "serve", PORT=port, DATABASE_URL=f"sqlite:///{tmp_path / 'other.db'}")
    assert refused.returncode == 1
    assert f"listen at HOST 127.0.0.1 and PORT {port}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_log_obeys_its_settings_from_the_first_line_on(stage: Stage, tmp_path: Path) -> None:
    """Settings are read before the log is opened, in test and in live mode alike."""
    quiet = stage.start_service("serve", LOG_LEVEL="ERROR", DATABASE_URL=f"sqlite:///{tmp_path / 'quiet.db'}")
    quiet.stop()
    assert quiet.log.read_text(encoding="utf-8") == ""
    usual = stage.start_service("serve", DATABASE_URL=f"sqlite:///{tmp_path / 'usual.db'}")
    usual.stop()
    lines = usual.log.read_text(encoding="utf-8").splitlines()
    assert lines
    assert all(json.loads(line)["timestamp"] for line in lines)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process may answer")
def test_workers_may_run_alone_and_stop_when_told(stage: Stage, service: Actor) -> None:
    with (stage.folder / "work.log").open("wb") as log:
        working = subprocess.Popen([*COMMAND, "work"], env={**os.environ, **stage.settings(0)}, stderr=log)
    until = time.monotonic() + 20
    while b'"working"' not in (stage.folder / "work.log").read_bytes():
        assert time.monotonic() < until
        time.sleep(0.05)
    second = run(stage, "work")
    assert "another `bakong-service work` works on" in second.stderr
    working.send_signal(signal.SIGTERM)
    assert working.wait(10) == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process may answer")
def test_a_stop_takes_less_than_ten_seconds_with_a_request_waiting_and_one_half_sent(
    stage: Stage, tmp_path: Path
) -> None:
    """A stop finishes what was begun, and then ends the process."""
    actor = stage.start_service("serve", DATABASE_URL=f"sqlite:///{tmp_path / 'stopped.db'}")
    headers = {"Authorization": f"Bearer {stage.api_key}"}
    body = {"amount": "1.00", "currency": "USD"}
    reference = httpx.post(f"{actor.url}/v1/payments", json=body, headers=headers, trust_env=False).json()["reference"]
    address = ("127.0.0.1", httpx.URL(actor.url).port or 0)
    with socket.create_connection(address, timeout=15) as waiting, socket.create_connection(address) as half_sent:
        request = (
            f"GET /v1/payments/{reference}?wait=25 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stage.api_key}\r\n\r\n"
        )
        waiting.sendall(request.encode())
        half_sent.sendall(b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nContent-Le")
        httpx.get(f"{actor.url}/health/live", trust_env=False)  # it has read both by now
        started = time.monotonic()
        actor.process.send_signal(signal.SIGTERM)
        assert actor.process.wait(10) == 0
        assert time.monotonic() - started < 10
        assert waiting.recv(1000).startswith(b"HTTP/1.1 200")
    assert "Traceback" not in actor.log.read_text(encoding="utf-8")


def test_no_secret_of_the_settings_is_in_any_log(stage: Stage, service: Actor) -> None:
    for headers in ({}, {"Authorization": f"Bearer {stage.api_key}"}, {"Authorization": f"Bearer {stage.api_key}x"}):
        httpx.get(f"{service.url}/v1/payments?key={stage.api_key}", headers=headers, trust_env=False)
    settings = stage.settings(0)
    secrets = [settings[name] for name in ("MAIN_BACKEND_API_KEY", "KEY_PEPPER", "ENCRYPTION_KEY", "WEBHOOK_SECRET")]
    logs = {path.name: path.read_text(encoding="utf-8") for path in stage.folder.glob("*.log")}
    assert "request" in logs["service.log"]
    assert [name for name, text in logs.items() if any(secret in text for secret in secrets)] == []


def test_an_older_sqlite_file_is_copied_before_it_is_brought_forward(tmp_path: Path) -> None:
    from bakong_service.storage.engine.opening import copy_beside

    path = tmp_path / "payments.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (42);")
    copy = copy_beside(path, "0001")
    assert copy.name == "payments.db.0001.backup"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT n FROM t").fetchone() == (42,)
