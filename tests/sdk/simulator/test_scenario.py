"""Scenarios: switches and steps from a file."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bakong_khqr.testing import BakongSimulator, SimulatorResponse, scenario

Check = Callable[..., tuple[int, int | None, Any]]
Ask = Callable[..., SimulatorResponse]


def test_steps_happen_by_the_simulator_s_clock(bakong: BakongSimulator, check: Check, payload: str) -> None:
    md5 = bakong.remember(payload).md5
    played = scenario.play(
        bakong,
        {
            "switches": {"daily_quota": 100},
            "steps": [
                {"pay": {"qr": payload}, "after_seconds": 30},
                {"faults": {"kind": "error_code", "times": 1}},
                {"switches": {"geo_block": True}, "after_seconds": 60},
            ],
        },
    )
    assert played == {"steps": 3}
    assert bakong.switches.daily_quota == 100
    assert check("check_transaction_by_md5", {"md5": md5})[:2] == (200, 15)
    assert check("check_transaction_by_md5", {"md5": md5})[:2] == (200, 1)
    bakong.advance(timedelta(seconds=45))
    assert check("check_transaction_by_md5", {"md5": md5})[2]["createdDateMs"] == 1795435230000
    bakong.advance(timedelta(seconds=15))
    assert check("check_transaction_by_md5", {"md5": md5})[0] == 403


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ([], "^scenario: isn't an object"),
        ({"stps": []}, "^stps: isn't a member of a scenario"),
        ({"switches": []}, "^switches: "),
        ({"switches": {"daily_quota": -1}}, "^switches: daily_quota: -1 isn't"),
        ({"steps": {}}, "^steps: "),
        ({"steps": ["pay"]}, r"^steps\[0\]: isn't an object with exactly one of pay, fail"),
        ({"steps": [{}]}, r"^steps\[0\]: isn't an object with exactly one of"),
        ({"steps": [{"pay": {}, "fail": {}}]}, r"^steps\[0\]: isn't an object with exactly one of"),
        ({"steps": [{"reset": {}}]}, r"^steps\[0\]: isn't an object with exactly one of"),
        ({"steps": [{"clear_faults": {}}, {"pay": {"qr": "x"}}]}, r"^steps\[1\]: qr: isn't a code"),
        ({"steps": [{"clear_faults": {}, "after_seconds": -1}]}, r"^steps\[0\].after_seconds: -1 isn't"),
        ({"steps": [{"faults": {"kind": "slow"}}, {"pay": {"md5": "x"}, "after_seconds": 5}]}, r"^steps\[1\]: "),
    ],
)
def test_a_scenario_with_a_mistake_is_refused_whole(bakong: BakongSimulator, content: bytes, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        scenario.play(bakong, content)
    assert bakong.faults.waiting() == []
    assert bakong.switches.daily_quota is None


def test_a_file_is_json_or_toml(tmp_path: Path, bakong: BakongSimulator, payload: str) -> None:
    json_file, toml_file = tmp_path / "a.json", tmp_path / "b.toml"
    json_file.write_text(json.dumps({"steps": [{"pay": {"qr": payload, "amount": 3.25}}]}), encoding="utf-8")
    toml_file.write_text(
        f'[switches]\nmd5_list_closed = true\n[[steps]]\npay = {{ qr = "{payload}", amount = 0.1 }}\n', encoding="utf-8"
    )
    scenario.play(bakong, scenario.load(json_file))
    scenario.play(bakong, scenario.load(toml_file))
    assert bakong.switches.md5_list_closed
    assert [str(payment.amount) for payment in bakong.payments.latest(2)] == ["0.1", "3.25"]


@pytest.mark.parametrize(("name", "content"), [("a.json", b"{"), ("a.toml", b"= 1"), ("a.toml", b"\xff")])
def test_a_file_that_can_t_be_read_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{name}: can't be read: "):
        scenario.load(path)


def test_a_scenario_over_http(bakong: BakongSimulator, ask: Ask, payload: str) -> None:
    answer = ask("/_simulator/scenario", {"steps": [{"pay": {"qr": payload}}]})
    assert (answer.status, answer.json()) == (200, {"steps": 1})
    assert len(bakong.payments) == 1
    refused = ask("/_simulator/scenario", {"steps": [{"pay": {"qr": "x"}}]})
    assert (refused.status, refused.json()["member"]) == (400, "steps[0]")
