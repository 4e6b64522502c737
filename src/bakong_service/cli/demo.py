"""`demo`: one payment from the QR to the signed webhook, only on this machine."""

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

from bakong_khqr.cli.writing import as_text, say_json
from bakong_khqr.images import terminal
from bakong_service.cli.stage import Stage, end_as_by_ctrl_c, what_to_do

T = TypeVar("T")

_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_EXPECTED = ("payment.paid", "subscription.activated")


class StepFailed(Exception):  # noqa: N818 - what happened
    """A step of the demo failed. The message names the step."""


@define
class Timeline:
    """Prints each step with the milliseconds since the start."""

    console: Console
    started: float = field(factory=time.perf_counter)
    step: str = "start"

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self.started

    @contextmanager
    def doing(self, step: str) -> Iterator[None]:
        """Remember the step, so that a failure can name it."""
        self.step = step
        try:
            yield
        except (httpx.HTTPError, AssertionError, KeyError, ValueError) as error:
            raise StepFailed(f"{step}: {error}") from error

    def say(self, text: str) -> None:
        """Print a line with its time."""
        reached = (f"{self.seconds() * 1000:>7,.0f} ms", "dim")
        self.console.print(Text.assemble(reached, "  ", as_text(text)), soft_wrap=True)


def demo(
    *,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
    keep: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Play one payment on this machine, with real servers: the simulator, the service and a webhook receiver.

    Nothing is sent to other machines, and no file stays. Exit code 0: every step succeeded. 1: a step failed, and its
    name is printed.

    Parameters
    ----------
    json_output
        At the end, print a JSON object with payment, subscription, webhooks and seconds. The timeline goes to
        standard error.
    keep
        Keep everything running until Ctrl-C, and print what you can try.
    """
    console = Console(stderr=json_output)
    end_as_by_ctrl_c()
    timeline = Timeline(console)
    folder = tempfile.TemporaryDirectory(prefix="bakong-demo-", ignore_cleanup_errors=True)
    with folder as path, Stage(Path(path)) as stage:
        try:
            result = _play(stage, timeline)
        except KeyboardInterrupt:
            return 130
        except Exception as error:  # noqa: BLE001 - for any error, the step that failed is named
            for line in (*(line for actor in stage.services for line in actor.last_lines().split("\n")), str(error)):
                console.print(Text(as_text(line)))
            console.print(Text(f"failed at: {timeline.step}", "red"))
            return 1
        if keep:
            _keep(stage, console)
    if json_output:
        say_json(result)
    return 0


def _play(stage: Stage, timeline: Timeline) -> dict[str, Any]:
    timeline.step = "start the simulator"
    simulator = stage.start_simulator()
    timeline.say(f"Bakong's simulator answers at {simulator.url}")
    timeline.step = "start the service"
    service = stage.start_service()
    timeline.say(f"the service answers at {service.url}")
    timeline.say(f"the receiver of webhooks listens at {stage.receiver.url}")
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
            timeline.say("a bank app could scan this code; the simulator takes its text")
        with timeline.doing("pay through the simulator"):
            _ok(httpx.post(f"{simulator.url}/_simulator/pay", json={"qr": payment["qr"]}, trust_env=False))
            timeline.say("the payer's bank app sent the money")
        with timeline.doing("wait until the payment is paid"):
            payment = _until(
                lambda: _ok(backend.get(f"/v1/payments/{payment['reference']}")), lambda p: p["status"] == "paid"
            )
            timeline.say(f"payment: {payment['status']}")
        with timeline.doing("look at the subscription"):
            subscription = _until(
                lambda: _ok(backend.get("/v1/users/demo-user/subscription")), lambda s: s["status"] == "active"
            )
            timeline.say(f"subscription: {subscription['status']} until {subscription['entitled_until']}")
    with timeline.doing("receive the webhooks"):
        events = _until(
            lambda: list(stage.receiver.events), lambda got: set(_EXPECTED) <= {event["type"] for event in got}
        )
        if stage.receiver.refused:
            raise ValueError(f"a signature is wrong: {stage.receiver.refused}")
        for event in events:
            timeline.say(f"webhook verified: {event['type']}")
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
        raise ValueError(f"the answer isn't a JSON object: {response.text[:200]}")  # noqa: TRY004 - it is an answer, not an argument
    return body


def _until(look: Callable[[], T], reached: Callable[[T], bool]) -> T:
    ends_at = time.monotonic() + _WAIT_SECONDS
    while not reached(seen := look()):
        if time.monotonic() > ends_at:
            raise ValueError(f"it didn't happen within {_WAIT_SECONDS:.0f} s; the last answer was {seen}")
        time.sleep(_LOOK_SECONDS)
    return seen


def _keep(stage: Stage, console: Console) -> None:
    with_page = stage.create_payment(amount="2.50", currency="USD", description="Two iced coffees")
    console.print(what_to_do(stage, with_page), highlight=False, markup=False, soft_wrap=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("stopped")
