"""The files of the how-to pages are written down as the pages name them, and their tests pass.

A sample with a title, such as `python title="shop.py"`, is a file of its page. The files of a page stand in one folder,
and pytest runs there as it would at a reader's. What calls the service is also played against a real one.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bakong_service.cli.stage import Stage, free_port

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.uncounted  # processes do what other tests measure in this one
FOLDER = ROOT / "docs" / "how-to"
FILE = re.compile(r'^```(?P<language>\w+) title="(?P<name>[\w./-]+)"\n(?P<text>.*?)^```', re.MULTILINE | re.DOTALL)
SECONDS = 120


def files(page: Path) -> dict[str, str]:
    """Return the files of a page by their names."""
    return {found["name"]: found["text"] for found in FILE.finditer(page.read_text(encoding="utf-8"))}


WITH_FILES = [page for page in sorted(FOLDER.glob("*.md")) if any(name.endswith(".py") for name in files(page))]


def write(page: Path, folder: Path) -> None:
    """Write the files of a page into a folder, with what makes each folder below it a package."""
    for name, text in files(page).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for parent in path.relative_to(folder).parents[:-1]:
            (folder / parent / "__init__.py").touch()


@pytest.mark.parametrize("page", WITH_FILES, ids=lambda page: page.stem)
def test_the_tests_of_a_page_pass(page: Path, tmp_path: Path) -> None:
    write(page, tmp_path)
    assert list(tmp_path.glob("test_*.py")), f"{page.name} has files, and no test that runs them"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--rootdir",
        str(tmp_path),
    ]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    played = subprocess.run(command, cwd=tmp_path, env=inherited, capture_output=True, text=True, timeout=SECONDS)
    assert played.returncode == 0, played.stdout + played.stderr
    assert re.search(r"\d+ passed", played.stdout)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The simulator and the service, as real processes."""
    with Stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.start_simulator()
        stage.start_service()
        yield stage


def environment(stage: Stage) -> dict[str, str]:
    """Return what a shop has to know of the service."""
    own = {"SERVICE_URL": stage.services[0].url, "API_KEY": stage.api_key, "WEBHOOK_SECRET": stage.webhook_secret}
    return {**os.environ, **own, "NO_PROXY": "127.0.0.1"}


def runs(*command: str) -> bool:
    """Return whether a program is installed, with what the command asks of it."""
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("program", "needs"), [("node", ("-e", "fetch")), ("php", ("-r", 'exit((int) !extension_loaded("curl"));'))]
)
def test_another_language_creates_a_payment(stage: Stage, program: str, needs: tuple[str, str], tmp_path: Path) -> None:
    if not runs(program, *needs):
        pytest.skip(f"{program} isn't installed, or lacks what {needs} asks for")
    file = {"node": "create-payment.mjs", "php": "create-payment.php"}[program]
    text = files(FOLDER / "other-languages.md")[file].replace("order-42", f"order-42-{program}")
    (tmp_path / file).write_text(text, encoding="utf-8")
    command = [program, str(tmp_path / file)]
    played = subprocess.run(command, env=environment(stage), capture_output=True, text=True, timeout=SECONDS)
    assert played.stdout.startswith(f"{stage.services[0].url}/pay/pct_"), played.stdout + played.stderr


def test_the_flask_shop_sells_with_the_real_service(stage: Stage, tmp_path: Path) -> None:
    write(FOLDER / "flask.md", tmp_path)
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", "shop", "run", "--port", str(port)]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as payer:
        shop = subprocess.Popen(command, cwd=tmp_path, env=environment(stage), stderr=subprocess.DEVNULL)
        try:
            until(lambda: answers(payer))
            ask(stage, "endpoints", url=f"http://127.0.0.1:{port}/webhooks", secret=stage.webhook_secret)
            page = payer.post("/orders/7", data={"amount": "2.50"}).headers["Location"]
            assert payer.post("/orders/7", data={"amount": "2.50"}).headers["Location"] == page
            assert payer.get("/orders/7").json()["status"] == "open"
            (payment,) = ask(stage, "payments?metadata[order]=7")["data"]
            ask(stage, "test/pay", reference=payment["reference"])
            until(lambda: payer.get("/orders/7").json()["status"] == "paid")
        finally:
            shop.terminate()
            shop.wait()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/orders/1").is_success
    except httpx.TransportError:
        return False


def ask(stage: Stage, path: str, **body: str) -> Any:
    headers = {"Authorization": f"Bearer {stage.api_key}"}
    with httpx.Client(base_url=stage.services[0].url, headers=headers, trust_env=False, timeout=10) as backend:
        answer = backend.post(f"/v1/{path}", json=body) if body else backend.get(f"/v1/{path}")
        return answer.raise_for_status().json()


def until(reached: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < ends_at
        time.sleep(0.1)


def commands(page: Path) -> list[str]:
    """Return the shell blocks of a page that don't say why they aren't run."""
    blocks = re.finditer(
        r"(?P<skipped>^ *<!-- not run: [^>]+ -->\n)?^ *```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ *```$",
        page.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    return [block["text"] for block in blocks if block["language"] in ("", "sh") and not block["skipped"]]


@pytest.mark.skipif(not shutil.which("bash"), reason="the commands are for bash")
@pytest.mark.parametrize("page", [page for page in sorted(FOLDER.glob("*.md")) if commands(page)], ids=lambda p: p.stem)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    script = "set -euo pipefail\n" + "".join(commands(page))
    played = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert list(tmp_path.iterdir()), "the commands of a page leave what they made"


def test_every_page_is_listed() -> None:
    listed = set(re.findall(r"\]\((\S+?\.md)\)", (FOLDER / "index.md").read_text(encoding="utf-8")))
    assert {page.name for page in FOLDER.glob("*.md")} - {"index.md"} <= listed
