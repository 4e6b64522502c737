"""The receivers of the examples, run as their README says, are given what the service sends."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bakong_service import resources
from bakong_service.domain.event import Event
from bakong_service.webhooks import sign

RECEIVERS = Path(__file__).parents[3] / "examples" / "receivers"
OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "a text of more than thirty-two characters"


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Node receiver with its packages."""
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        pytest.skip("Node isn't installed")
    folder = tmp_path_factory.mktemp("node") / "receiver"
    shutil.copytree(RECEIVERS / "node", folder, ignore=shutil.ignore_patterns("node_modules"))
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=100)
    if done.returncode != 0:
        pytest.skip(f"npm couldn't install the public package: {done.stderr.strip()[-200:]}")
    return folder


@pytest.fixture(params=["starlette", "flask", "node"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A running receiver that knows both secrets: its URL, and the file of what it said."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    match request.param:
        case "starlette":
            folder = str(RECEIVERS / "starlette")
            command = [sys.executable, "-m", "uvicorn", "--app-dir", folder, "receiver:app", "--port", port]
        case "flask":
            pytest.importorskip("flask")
            application = str(RECEIVERS / "flask" / "receiver")
            command = [sys.executable, "-m", "flask", "--app", application, "run", "--port", port]
        case _:
            command = ["node", str(request.getfixturevalue("node_folder") / "receiver.mjs")]
    settings = {"WEBHOOK_SECRET": NEW, "WEBHOOK_SECRET_BEFORE": OLD, "INBOX": str(tmp_path / "inbox.db"), "PORT": port}
    said = tmp_path / "said"
    with said.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | settings, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}/webhooks"
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx.post(url, trust_env=False)
                break
            except httpx.ConnectError:
                assert process.poll() is None, said.read_text(encoding="utf-8")
                assert time.monotonic() < deadline, said.read_text(encoding="utf-8")
                time.sleep(0.05)
        yield url, said
    finally:
        process.terminate()
        process.wait(10)


def delivery(number: int, sequence: int, *secrets: str, at: datetime | None = None) -> tuple[bytes, dict[str, str]]:
    """An event as the service sends it."""
    event = Event(
        id=number,
        reference=f"evt_{number}",
        type="payment.paid",
        subject="pay_1",
        sequence=sequence,
        previous_status="pending",
        data={"object": "payment", "reference": "pay_1", "description": "កាហ្វេ ☕"},
        created_at=datetime.now(UTC),
        feed_position=number,
    )
    body = resources.Event.of(event).body()
    return body, sign(event.reference, body, secrets or (OLD,), at=at or datetime.now(UTC))


def test_a_receiver_takes_each_event_once_in_order_and_nothing_that_isnt_ours(receiver: tuple[str, Path]) -> None:
    url, said = receiver
    stale = datetime.now(UTC) - timedelta(minutes=6)
    body, headers = delivery(1, 1)
    altered = json.dumps(json.loads(body) | {"type": "payment.refunded"}).encode()
    steps = [
        (delivery(1, 1), 204),
        (delivery(1, 1), 204),
        (delivery(3, 3, NEW), 204),
        (delivery(2, 2), 204),
        (delivery(4, 4, OLD, NEW), 204),
        (delivery(5, 5, "whsec_" + "A" * 32), 401),
        (delivery(6, 6, at=stale), 401),
        ((altered, headers), 401),
        ((body, {}), 401),
        ((b"", headers), 401),
    ]
    with httpx.Client(trust_env=False) as client:
        answered = [
            client.post(url, content=body, headers=headers | {"content-type": "application/json"}).status_code
            for (body, headers), _ in steps
        ]
    assert answered == [expected for _, expected in steps]
    lines = [line for line in said.read_text(encoding="utf-8").splitlines() if line.startswith("payment.")]
    assert lines == [
        "payment.paid pay_1 1 taken",
        "payment.paid pay_1 1 duplicate",
        "payment.paid pay_1 3 taken",
        "payment.paid pay_1 2 stale",
        "payment.paid pay_1 4 taken",
    ]


def test_a_receiver_outlives_an_aborted_request_and_refuses_a_body_too_large(
    receiver: tuple[str, Path], request: pytest.FixtureRequest
) -> None:
    url, said = receiver
    too_large = 413 if "node" in request.node.name else 401  # the others leave a limit to what stands before them
    address = httpx.URL(url)
    head = b"POST /webhooks HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n"
    for beginning in (head[:20], head, head + b"x" * 500):
        with socket.create_connection((address.host, address.port or 80), timeout=5) as cut:
            cut.sendall(beginning)
            cut.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing it resets it
    with httpx.Client(trust_env=False) as client:
        assert client.post(url, content=b"x" * 1_000_000).status_code == too_large
        body, headers = delivery(1, 1)
        assert client.post(url, content=body, headers=headers).status_code == 204, said.read_text(encoding="utf-8")
