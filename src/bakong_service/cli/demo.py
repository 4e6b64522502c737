"""`bakong-service demo`: one payment, from the QR to the signed webhook, on this machine alone."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import uuid4

import httpx
from attrs import define, field
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from bakong_khqr.images import terminal
from bakong_service.cli.stage import Stage

T = TypeVar("T")

_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_EXPECTED = ("payment.paid", "subscription.activated")


class StepFailed(Exception):  # noqa: N818 - what happened
    """A step of the demo did not come out as it must; the message names the step."""


@define
class Timeline:
    """Prints each step with the milliseconds since the start."""

    console: Console
    started: float = field(factory=time.perf_counter)
    step: str = "start"

    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self.started

    @contextmanager
    def doing(self, step: str) -> Iterator[None]:
        """Remember what is being done, so that a failure can name it."""
        self.step = step
        try:
            yield
        except (httpx.HTTPError, AssertionError, KeyError, ValueError) as error:
            raise StepFailed(f"{step}: {error}") from error

    def say(self, text: str) -> None:
        """A line with the time it was reached at."""
        self.console.print(f"[dim]{self.seconds() * 1000:>7,.0f} ms[/dim]  {text}", highlight=False, soft_wrap=True)


def demo(
    *,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
    keep: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Play one payment on this machine: simulator, service and a webhook receiver, each a real server.

    Nothing leaves the machine and nothing is left behind. Exit code 0: all went well; 1: a step failed and named
    itself.

    Parameters
    ----------
    json_output
        Print one JSON object on standard output, last: payment, subscription, webhooks, seconds. The timeline goes
        to standard error.
    keep
        Leave everything running and say what to try, until Ctrl-C.
    """
    console = Console(stderr=json_output)
    timeline = Timeline(console)
    folder = tempfile.TemporaryDirectory(prefix="bakong-demo-", ignore_cleanup_errors=True)
    with folder as path, Stage(Path(path)) as stage:
        try:
            result = _play(stage, timeline)
        except KeyboardInterrupt:
            return 130
        except Exception as error:  # noqa: BLE001 - whatever it is, the step that failed is named
            console.print(f"[red]failed at: {timeline.step}[/red]")
            console.print(str(error), highlight=False, markup=False)
            for actor in stage.services:
                console.print(actor.last_lines(), highlight=False, markup=False)
            return 1
        if keep:
            _keep(stage, console)
    if json_output:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    return 0


def _play(stage: Stage, timeline: Timeline) -> dict[str, Any]:
    timeline.step = "start the simulator"
    simulator = stage.start_simulator()
    timeline.say(f"Bakong's simulator answers at {simulator.url}")
    timeline.step = "start the service"
    service = stage.start_service()
    timeline.say(f"the service answers at {service.url}, the receiver listens at {stage.receiver.url}")
    headers = {"Authorization": f"Bearer {stage.api_key}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=10, trust_env=False) as backend:
        with timeline.doing("create a payment"):
            payment = _ok(
                backend.post(
                    "/v1/payments",
                    json={"user_id": "demo-user", "plan": "PREMIUM"},
                    headers={"Idempotency-Key": str(uuid4())},
                )
            )
            amount = f"{Decimal(payment['amount']):f} {payment['currency']}"
            timeline.say(f"created {payment['reference']}: PREMIUM, {amount}")
        with timeline.doing("show the QR"):
            timeline.console.print(Text.from_ansi(terminal(payment["qr"])), no_wrap=True, soft_wrap=True)
            timeline.say("any bank app that reads KHQR would read this code; the simulator scans its text")
        with timeline.doing("pay through the simulator"):
            _ok(httpx.post(f"{simulator.url}/_simulator/pay", json={"qr": payment["qr"]}, trust_env=False))
            timeline.say("the payer's bank app sent the money")
        with timeline.doing("wait until the payment is paid"):
            payment = _until(
                lambda: _ok(backend.get(f"/v1/payments/{payment['reference']}")), lambda p: p["status"] == "paid"
            )
            timeline.say(f"payment: [green]{payment['status']}[/green]")
        with timeline.doing("look at the subscription"):
            subscription = _until(
                lambda: _ok(backend.get("/v1/users/demo-user/subscription")), lambda s: s["status"] == "active"
            )
            timeline.say(
                f"subscription: [green]{subscription['status']}[/green] until {subscription['entitled_until']}"
            )
    with timeline.doing("receive the webhooks"):
        events = _until(
            lambda: list(stage.receiver.events), lambda got: set(_EXPECTED) <= {event["type"] for event in got}
        )
        if stage.receiver.refused:
            raise ValueError(f"a signature didn't verify: {stage.receiver.refused}")
        for event in events:
            timeline.say(f"webhook verified: [green]{event['type']}[/green] ({event['id']})")
    timeline.say("done")
    return {
        "payment": payment,
        "subscription": subscription,
        "webhooks": events,
        "seconds": round(timeline.seconds(), 3),
    }


def _ok(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise ValueError(f"HTTP {response.status_code}: {response.text[:500]}")
    body = response.json()
    if not isinstance(body, dict):
        raise ValueError(f"not a JSON object: {response.text[:200]}")  # noqa: TRY004 - an answer, not an argument
    return body


def _until(look: Callable[[], T], reached: Callable[[T], bool]) -> T:
    ends_at = time.monotonic() + _WAIT_SECONDS
    while not reached(seen := look()):
        if time.monotonic() > ends_at:
            raise ValueError(f"not reached within {_WAIT_SECONDS:.0f} s; last seen: {seen}")
        time.sleep(_LOOK_SECONDS)
    return seen


_TRY = """
All of it keeps running until Ctrl-C. Try:

  export KEY={key}
  curl -s {service}/v1/payments -H "Authorization: Bearer $KEY" -H "Idempotency-Key: try-1" \\
       -H "Content-Type: application/json" -d '{{"amount": "2.50", "currency": "USD", "description": "Coffee"}}'
  curl -s {simulator}/_simulator/pay -H "Content-Type: application/json" -d '{{"qr": "THE QR FROM ABOVE"}}'
  curl -s {service}/v1/users/demo-user/subscription -H "Authorization: Bearer $KEY"

The simulator's page: {simulator}/
"""


def _keep(stage: Stage, console: Console) -> None:
    simulator = stage.simulator.url if stage.simulator else ""
    text = _TRY.format(key=stage.api_key, service=stage.services[0].url, simulator=simulator)
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("stopped")
