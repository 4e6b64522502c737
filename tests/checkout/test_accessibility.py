"""axe-core finds no serious issue on any page. It comes from npm; without npm the test is skipped."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_AXE = "axe-core@4"
_SERIOUS = ("serious", "critical")
_BY_DARKNESS = {False: {}, True: {"runOnly": ["color-contrast"]}}  # nothing but its colours makes a dark page another


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core: `AXE=file`, else fetched by npm."""
    if found := os.environ.get("AXE"):
        return Path(found).read_text(encoding="utf-8")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm, which fetches axe-core, isn't installed")
    folder = tmp_path_factory.mktemp("axe")
    fetched = subprocess.run([npm, "install", "--silent", "--prefix", folder, _AXE], timeout=100, check=False)
    if fetched.returncode:
        pytest.skip("npm can't fetch axe-core here")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("km", False), ("en", True)])  # colours know no language
def test_axe_finds_no_serious_issue(axe: str, shop: Any, visit: Callable[..., Any], language: str, dark: bool) -> None:
    waiting, paid, cancelled = shop.create(), shop.create(), shop.create()
    shop.pay(paid)
    shop.until_status(paid, "paid")
    shop.post(cancelled["links"]["cancel"])
    for address in (*(each["checkout_url"] for each in (waiting, paid, cancelled)), f"{shop.url}/pay/unknown"):
        page = visit(address, language=language, dark=dark, bypass_csp=True)
        page.evaluate(axe)
        options = {"resultTypes": ["violations"], **_BY_DARKNESS[dark]}
        found = page.evaluate("options => axe.run(options)", options)["violations"]
        assert [(each["id"], each["help"]) for each in found if each["impact"] in _SERIOUS] == []
        page.context.close()
