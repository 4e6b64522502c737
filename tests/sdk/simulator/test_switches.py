"""The switches: their defaults, their rules, and that the documentation has every one."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from bakong_khqr.testing import BakongSimulator, FaultKind, Switches

ROOT = Path(__file__).parents[3]


def test_kind_by_default_and_hard_like_production() -> None:
    assert BakongSimulator().switches == Switches()
    production = BakongSimulator.like_production()
    assert production.switches == Switches(daily_quota=100, md5_list_closed=True)
    assert BakongSimulator.like_production(daily_quota=3).switches.daily_quota == 3


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("geo_block", 1, "true or false"),
        ("geo_block", None, "true or false"),
        ("daily_quota", 0, "a whole number from 1 to 1000000000 or null"),
        ("daily_quota", True, "a whole number"),
        ("daily_quota", 1.5, "a whole number"),
        ("daily_quota", "100", "a whole number"),
        ("token_lifetime_days", None, "a whole number from 1 to 36500$"),
        ("static_qr", "maybe", "one of not_found, not_supported, tracked"),
        ("deeplink_base_url", "", "a string that isn't empty"),
        ("unauthorized_status", 99, "a whole number from 200 to 599"),
    ],
)
def test_a_value_outside_the_rule_is_refused_with_name_value_and_rule(name: str, value: Any, rule: str) -> None:
    bakong = BakongSimulator()
    for attempt in (
        lambda: BakongSimulator(**{name: value}),
        lambda: bakong.configure(**{name: value}),
        lambda: setattr(bakong.switches, name, value),
    ):
        with pytest.raises(ValueError, match=f"^{name}: {value!r} isn't {rule}"):
            attempt()
    assert bakong.switches == Switches()


def test_switches_are_set_all_or_none() -> None:
    bakong = BakongSimulator()
    with pytest.raises(ValueError, match=r"^daily_quota"):
        bakong.configure(geo_block=True, daily_quota=-1)
    with pytest.raises(TypeError, match=r"^typo: isn't a switch"):
        bakong.configure(geo_block=True, typo=1)
    assert not bakong.switches.geo_block


def test_an_unknown_switch_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="typo"):
        BakongSimulator(typo=1)


def test_the_documentation_lists_every_switch_its_default_and_whether_it_is_a_guess() -> None:
    page = ROOT / "docs" / "simulator.md"
    if not page.exists():
        pytest.skip("the documentation isn't beside these tests")
    lines = page.read_text(encoding="utf-8").splitlines()
    for field in attrs.fields(Switches):
        [line] = [line for line in lines if line.startswith(f"| `{field.name}` |")]
        default = {True: "true", False: "false", None: "null"}.get(field.default, str(field.default))
        assert f"| `{default}` |" in line, field.name
        assert ("**guess**" in line) == field.metadata["guess"], field.name


def test_the_documentation_lists_every_kind_of_fault() -> None:
    page = ROOT / "docs" / "simulator.md"
    if not page.exists():
        pytest.skip("the documentation isn't beside these tests")
    text = page.read_text(encoding="utf-8")
    assert [kind for kind in FaultKind if f"| `{kind}` |" not in text] == []
