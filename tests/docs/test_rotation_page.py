"""The lines of "Replacing an encryption key" are settings; processes at neighbouring steps read each other's fields."""

import re
from itertools import pairwise
from pathlib import Path

from bakong_service.settings import Settings
from bakong_service.vault import Vault
from kit.service import ENVIRONMENT

PAGE = Path(__file__).parents[2] / "docs" / "service" / "running.md"
KEYS = {"<old key>": ENVIRONMENT["ENCRYPTION_KEY"], "<new key>": "6a1f0c8e9d7b4352a0e1c5d3f7b9a284"}
PLACE = "payments.qr_enc.pay_1"


def lines() -> list[str]:
    """Return the settings of the section's blocks: at once, the two restarts one by one, and the end."""
    section = PAGE.read_text(encoding="utf-8").partition("## Replacing an encryption key\n")[2].partition("\n## ")[0]
    found = re.findall(r"^ *ENCRYPTION_KEYS=(.*)$", section, re.MULTILINE)
    for name, key in KEYS.items():
        found = [line.replace(name, key) for line in found]
    return found


def vault(**settings: str) -> Vault:
    """Return the vault of a process with these keys and no others."""
    others = {name: value for name, value in ENVIRONMENT.items() if name != "ENCRYPTION_KEY"}
    return Vault(Settings.from_environment(others | settings).key_ring, b"pepper")


BEFORE = vault(ENCRYPTION_KEY=ENVIRONMENT["ENCRYPTION_KEY"])


def test_replicas_that_are_restarted_one_by_one_read_each_others_fields() -> None:
    _, *one_by_one = (vault(ENCRYPTION_KEYS=line) for line in lines())
    assert [each.key_ids for each in one_by_one] == [("0", "2026b"), ("2026b", "0"), ("2026b",)]
    for earlier, later in pairwise([BEFORE, *one_by_one[:2]]):
        assert later.open(earlier.seal("qr", PLACE), PLACE) == "qr"
        assert earlier.open(later.seal("qr", PLACE), PLACE) == "qr"
    assert one_by_one[2].open(one_by_one[1].seal("qr", PLACE), PLACE) == "qr"


def test_processes_that_are_restarted_at_once_need_one_line() -> None:
    at_once = vault(ENCRYPTION_KEYS=lines()[0])
    assert at_once.key_ids[0] == "2026b"
    assert at_once.open(BEFORE.seal("qr", PLACE), PLACE) == "qr"
