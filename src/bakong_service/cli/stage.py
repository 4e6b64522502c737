"""A stage on this machine: Bakong's simulator and the service as real processes, and a receiver of webhooks.

The demo and the end-to-end tests use it. Everything listens on free loopback ports and keeps its files in one folder.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from attrs import Factory, define, field

from bakong_service import webhooks

_START_SECONDS = 45.0
_STOP_SECONDS = 12.0
_LOOK_SECONDS = 0.05


class StageFailed(Exception):  # noqa: N818 - what happened
    """A process didn't start, or died. The message ends with its last lines."""


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_taken(port: int) -> bool:
    """Return whether something listens on a port of the loopback interface."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end_as_by_ctrl_c() -> None:
    """Let SIGTERM raise `KeyboardInterrupt`, so that the processes of the stage are stopped too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@define
class Actor:
    """A process of the stage, with its log beside it."""

    name: str
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def wait_until_ready(self, path: str) -> None:
        """Wait until the process answers. Raises `StageFailed` if it dies or takes longer than 45 s."""
        ends_at = time.monotonic() + _START_SECONDS
        # One client for all looks: to make one takes 30 ms of work, which the process would lack for its start.
        with httpx.Client(timeout=5, trust_env=False) as client:
            while time.monotonic() < ends_at:
                if self.process.poll() is not None:
                    raise StageFailed(f"{self.name} ended with {self.process.returncode}:\n{self.last_lines()}")
                try:
                    if client.get(self.url + path).is_success:
                        return
                except httpx.TransportError:
                    pass  # not listening yet
                time.sleep(_LOOK_SECONDS)
        raise StageFailed(f"{self.name} isn't ready after {_START_SECONDS:.0f} s:\n{self.last_lines()}")

    def last_lines(self, count: int = 15) -> str:
        """Return the last lines that the process wrote."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])

    def stop(self) -> None:
        """Ask the process to stop, and kill it after 12 s."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End the process at once, as a power cut would (SIGKILL)."""
        self.process.kill()
        self.process.wait()


@define
class Receiver:
    """The webhook endpoint of a main backend, which verifies deliveries and keeps their events in order of arrival."""

    secret: str
    server: ThreadingHTTPServer = field(init=False)
    events: list[dict[str, Any]] = Factory(list)
    refused: list[str] = Factory(list)
    failures_to_come: int = 0

    def __attrs_post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.take(body, dict(self.headers)))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Write nothing, because the timeline shows the events."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), name="receiver", daemon=True).start()

    @property
    def url(self) -> str:
        """The URL that deliveries go to."""
        return f"http://127.0.0.1:{self.server.server_port}/webhooks"

    def take(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Verify a delivery and keep its event. Return the HTTP status of the answer."""
        if self.failures_to_come:
            self.failures_to_come -= 1
            return 503
        try:
            self.events.append(webhooks.verify(body, headers, self.secret))
        except webhooks.InvalidSignature as error:
            self.refused.append(str(error))
            return 401
        return 204

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()


@define
class Stage:
    """The simulator, the services and the receiver. Leaving the `with` stops them all."""

    folder: Path
    api_key: str = Factory(lambda: secrets.token_urlsafe(32))
    webhook_secret: str = Factory(lambda: secrets.token_urlsafe(32))
    simulator: Actor | None = None
    services: list[Actor] = Factory(list)
    receiver: Receiver = field(init=False)
    _encryption_key: str = Factory(lambda: secrets.token_hex(16))
    _pepper: str = Factory(lambda: secrets.token_urlsafe(32))

    def __attrs_post_init__(self) -> None:
        self.receiver = Receiver(self.webhook_secret)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for actor in (*self.services, self.simulator):
            if actor is not None:
                actor.stop()
        self.receiver.close()

    def start_simulator(self, *arguments: str, port: int | None = None) -> Actor:
        """Start `khqr simulate`, on a free port unless one is given."""
        port = port or free_port()
        command = ["bakong_khqr.cli", "simulate", "--port", str(port), *arguments]
        self.simulator = self._start("the simulator", command, port, {})
        self.simulator.wait_until_ready("/_simulator/state")
        return self.simulator

    def start_service(self, *arguments: str, **settings: str) -> Actor:
        """Start `bakong-service serve` in test mode, on a free port. `settings` replace settings of the stage; with
        `PORT`, the service has that port."""
        port = int(settings.get("PORT", "0")) or free_port()
        command = ["bakong_service.cli", *(arguments or ("serve",))]
        name = "the service" if not self.services else f"service {len(self.services) + 1}"
        actor = self._start(name, command, port, {**self.settings(port), **settings})
        self.services.append(actor)
        actor.wait_until_ready("/health/ready")
        return actor

    def create_payment(self, **body: Any) -> dict[str, Any]:
        """Make a payment at the first service. Raises `httpx.HTTPError`."""
        headers = {"Authorization": f"Bearer {self.api_key}", "Idempotency-Key": secrets.token_hex(16)}
        url = f"{self.services[0].url}/v1/payments"
        answer = httpx.post(url, json=body, headers=headers, timeout=10, trust_env=False).raise_for_status()
        made: dict[str, Any] = answer.json()
        return made

    def last_payment(self, *, payable_until: datetime, description: str) -> dict[str, Any] | None:
        """Return the newest open payment with this description, if its code can be paid until then; else None.

        Raises `httpx.HTTPError`.
        """
        url, headers = self.services[0].url, {"Authorization": f"Bearer {self.api_key}"}
        with httpx.Client(base_url=url, headers=headers, timeout=10, trust_env=False) as backend:
            listed = backend.get("/v1/payments", params={"status": "pending", "limit": "100"}).raise_for_status()
            for payment in listed.json()["data"]:
                ends_at = datetime.fromisoformat(payment["qr_expires_at"])
                if payment["description"] == description and ends_at >= payable_until:
                    found: dict[str, Any] = (
                        backend.get(f"/v1/payments/{payment['reference']}").raise_for_status().json()
                    )
                    return found
        return None

    def settings(self, port: int) -> dict[str, str]:
        """Return the settings of a service on this stage."""
        return {
            "MODE": "test",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "DATABASE_URL": f"sqlite:///{self.folder / 'payments.db'}",
            "BAKONG_BASE_URL": self.simulator.url if self.simulator else "http://127.0.0.1:9",
            "BAKONG_DEVELOPER_TOKEN": "simulator",
            "BAKONG_MERCHANT_ID": "sokha@demo",
            "MERCHANT_NAME": "Sokha Coffee",
            "MAIN_BACKEND_API_KEY": self.api_key,
            "KEY_PEPPER": self._pepper,
            "ENCRYPTION_KEY": self._encryption_key,
            "WEBHOOK_URL": self.receiver.url,
            "WEBHOOK_SECRET": self.webhook_secret,
            "WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8",
            "RATE_LIMIT": "100000/minute",  # tests ask as fast as they can
        }

    def _start(self, name: str, command: list[str], port: int, settings: Mapping[str, str]) -> Actor:
        if _is_taken(port):
            option = "--simulator-port" if name == "the simulator" else "--service-port"
            raise StageFailed(
                f"port {port}, for {name}, is taken: stop what listens there, or choose another port with {option}"
            )
        log = self.folder / f"{name.removeprefix('the ').replace(' ', '-')}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **settings},
            )
        return Actor(name, process, f"http://127.0.0.1:{port}", log)


_TO_DO = """
All of it runs until Ctrl-C.
1. Open the payer's page: {page}
2. Pay as a bank app would: open {simulator}/ and paste the code {qr}
   or: curl -s {service}/v1/test/pay -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
            -d '{{"reference": "{reference}"}}'
3. Watch the page: it becomes a receipt. Make more payments with the key {key} at {service}/docs
"""


def what_to_do(stage: Stage, payment: Mapping[str, Any]) -> str:
    """Return, in three steps, how a person plays a payer on this stage."""
    return _TO_DO.format(
        page=payment["checkout_url"],
        qr=payment["qr"],
        reference=payment["reference"],
        simulator=stage.simulator.url if stage.simulator else "",
        service=stage.services[0].url,
        key=stage.api_key,
    )
