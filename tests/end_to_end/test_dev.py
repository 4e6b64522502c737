"""`dev` and `demo --keep` run until Ctrl-C, with a page to open and a payer to play."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bakong_service.cli.stage import free_port

pytestmark = pytest.mark.uncounted  # processes do what other tests measure in this one
SECONDS = 60


@contextmanager
def running(folder: Path, *arguments: str, ended_by: signal.Signals = signal.SIGINT) -> Iterator[Path]:
    """Run a command until a signal ends it; what it prints is in a file."""
    printed = folder / "printed"
    command = [sys.executable, "-m", "bakong_service.cli", *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever is started in a shell's background ignores it
    with printed.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield printed
        signal_all = os.killpg if ended_by is signal.SIGINT else os.kill  # a terminal interrupts the whole group
        signal_all(process.pid, ended_by)
        assert process.wait(SECONDS) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def found(printed: Path, pattern: str) -> str:
    """Wait until the command prints something."""
    ends_at = time.monotonic() + SECONDS
    while (match := re.search(pattern, text := printed.read_text(encoding="utf-8"))) is None:
        assert time.monotonic() < ends_at, text
        time.sleep(0.1)
    return match[1]


def pay(printed: Path) -> str:
    """Pay as step 2 says. Return the address of the payer's page."""
    page = found(printed, r"payer's page: (\S+)")
    simulator, qr = found(printed, r"open (\S+)/ and paste"), found(printed, r"paste the code (.+)")
    assert 'data-state="waiting"' in httpx.get(page, trust_env=False).text
    assert httpx.post(f"{simulator}/_simulator/pay", json={"qr": qr}, trust_env=False).is_success
    return page


def until_paid(page: str) -> None:
    ends_at = time.monotonic() + SECONDS
    while 'data-state="paid"' not in (text := httpx.get(page, trust_env=False).text):
        assert time.monotonic() < ends_at, text
        time.sleep(0.1)


def test_demo_keeps_a_page_alive_on_which_a_payer_can_be_played(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--keep") as printed:
        until_paid(pay(printed))


def test_dev_prints_webhooks_and_goes_on_with_its_data(tmp_path: Path) -> None:
    ports = ("--service-port", str(free_port()), "--simulator-port", str(free_port()))
    arguments = ("dev", "--folder", str(tmp_path / "dev"), *ports)
    with running(tmp_path, *arguments) as printed:
        page = pay(printed)
        assert found(printed, r"webhook payment\.paid: pay_\S+ (\S+)") == "paid"
        until_paid(page)
        unpaid = another(printed)
        rows = listed(found(printed, r"\n   (\(set -a.+\))"))
        assert [row["status"] for row in rows] == ["pending", "paid"]
    assert (tmp_path / "dev" / "service.env").stat().st_mode & 0o777 == 0o600
    with running(tmp_path, *arguments) as printed:
        assert found(printed, r"payer's page: (\S+)") == unpaid["checkout_url"]
        until_paid(page)  # the payment of the run before, at the same address


def another(printed: Path) -> dict[str, Any]:
    """Make one more payment for two iced coffees, and don't pay it."""
    service, key = found(printed, r"at (\S+)/docs"), found(printed, r"with the key (\S+)")
    body = {"amount": "2.50", "currency": "USD", "description": "Two iced coffees"}
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "another"}
    made: dict[str, Any] = httpx.post(f"{service}/v1/payments", json=body, headers=headers, trust_env=False).json()
    return made


def listed(command: str) -> list[dict[str, Any]]:
    """Run the command that `dev` prints, as JSON."""
    bin_folder = str(Path(sys.executable).parent)
    environment = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    asked = command.replace("payments list", "payments list --json")
    rows: list[dict[str, Any]] = json.loads(subprocess.check_output(["sh", "-c", asked], env=environment))
    return rows


def test_dev_says_that_a_port_is_taken_and_ends_with_all_that_it_started(tmp_path: Path) -> None:
    simulator_port, service_port = free_port(), free_port()
    ports = ("--service-port", str(service_port), "--simulator-port", str(simulator_port))
    with running(tmp_path, "dev", "--folder", str(tmp_path / "one"), *ports, ended_by=signal.SIGTERM) as printed:
        found(printed, r"payer's page: (\S+)")
        command = [sys.executable, "-m", "bakong_service.cli", "dev", "--folder", str(tmp_path / "other"), *ports]
        second = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert (second.returncode, second.stderr) == (1, "")
        assert f"port {simulator_port}, for the simulator, is taken" in second.stdout
        assert "--simulator-port" in second.stdout
    for port in (simulator_port, service_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, port
