"""A scenario: switches, and steps that happen at their times on the simulator's clock, from a JSON or TOML file.

    {"switches": {"daily_quota": 100},
     "steps": [{"faults": {"kind": "server_error", "times": 2}},
               {"pay": {"qr": "0002..."}, "after_seconds": 30}]}

A step is one action of `actions.py` with its members and its time. All steps are first performed on another simulator,
so that a scenario with a mistake is refused as a whole.
"""

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from bakong_khqr.errors import shown
from bakong_khqr.testing.actions import ACTIONS
from bakong_khqr.testing.exchange import read_json

if TYPE_CHECKING:
    from bakong_khqr.testing.simulator import BakongSimulator


@attrs.frozen
class Step:
    """One action and its time, counted from the beginning of the scenario."""

    action: str
    members: Any
    after: timedelta


def load(path: Path) -> Any:
    """Read a scenario file: `.toml` as TOML, and any other as JSON. Raises `ValueError` if it can't be read."""
    content = path.read_bytes()
    try:
        if path.suffix == ".toml":
            return tomllib.loads(content.decode("utf-8"), parse_float=Decimal)
        return read_json(content)
    except ValueError as error:
        raise ValueError(f"{path.name}: can't be read: {error}") from error


def play(bakong: "BakongSimulator", scenario: Any) -> dict[str, Any]:
    """Begin a scenario now. Raises `ValueError` with the wrong step and member, and then does nothing."""
    switches, steps = _read(scenario)
    rehearsal = type(bakong)(**attrs.asdict(bakong.switches))
    _perform(rehearsal, "switches", Step("switches", switches, timedelta()))
    for number, step in enumerate(steps):
        _perform(rehearsal, f"steps[{number}]", step)

    bakong.configure(**switches)
    for step in sorted(steps, key=lambda step: step.after):
        bakong.after(step.after, partial(ACTIONS[step.action], bakong, step.members))
    bakong.clock.run_due()
    return {"steps": len(steps)}


def _read(scenario: Any) -> tuple[dict[str, Any], list[Step]]:
    if not isinstance(scenario, Mapping):
        raise ValueError("scenario: isn't an object with switches and steps")  # noqa: TRY004 - all refusals alike
    for name in scenario:
        if name not in {"switches", "steps"}:
            raise ValueError(f"{name}: isn't a member of a scenario; the members are switches, steps")
    switches, steps = scenario.get("switches", {}), scenario.get("steps", [])
    if not isinstance(switches, Mapping):
        raise ValueError(f"switches: {shown(switches)} isn't an object")  # noqa: TRY004 - all refusals alike
    if not isinstance(steps, list):
        raise ValueError(f"steps: {shown(steps)} isn't a list")  # noqa: TRY004 - all refusals alike
    return dict(switches), [_step(f"steps[{number}]", step) for number, step in enumerate(steps)]


def _step(place: str, step: Any) -> Step:
    names = [name for name in step if name != "after_seconds"] if isinstance(step, Mapping) else []
    if len(names) != 1 or names[0] not in ACTIONS or names[0] == "reset":
        actions = ", ".join(name for name in ACTIONS if name != "reset")  # a reset would end the scenario itself
        raise ValueError(f"{place}: isn't an object with exactly one of {actions}, and after_seconds")
    after_seconds = step.get("after_seconds", 0)
    if (
        isinstance(after_seconds, bool)
        or not isinstance(after_seconds, int | Decimal)
        or not 0 <= after_seconds < 10**9
    ):
        raise ValueError(f"{place}.after_seconds: {shown(after_seconds)} isn't a number from 0 on")
    return Step(names[0], step[names[0]], timedelta(seconds=float(after_seconds)))


def _perform(bakong: "BakongSimulator", place: str, step: Step) -> None:
    try:
        ACTIONS[step.action](bakong, step.members)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
