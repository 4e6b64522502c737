"""`khqr simulate` as a person or a script runs it."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

Khqr = Callable[..., CompletedProcess[bytes]]

HEADERS = {"authorization": "Bearer simulator"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from bakong_khqr.cli.app import main; main()", "simulate", *arguments]


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program and the first line it prints; ended if the test didn't."""
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
    with subprocess.Popen(command("--port", "0", *arguments), **options) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_its_first_line_is_the_url_and_it_answers(payload_2_50: str) -> None:
    with running() as (process, url), httpx.Client(base_url=url, headers=HEADERS, trust_env=False) as client:
        md5 = client.post("/_simulator/pay", json={"qr": payload_2_50}).json()["md5"]
        assert client.post("/v1/check_transaction_by_md5", json={"md5": md5}).json()["data"]["amount"] == 2.5
        process.kill()
        assert process.stdout is not None
        said = process.stdout.read()
    assert f"{url}/_simulator/pay" in said
    assert "The token it takes" in said
    assert "simulator" in said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly(number: int) -> None:
    with running() as (process, url):
        httpx.get(url, trust_env=False)
        process.send_signal(number)
        _, complaints = process.communicate(timeout=10)
        assert (process.returncode, complaints) == (0, "")


def test_json_is_one_object() -> None:
    with running("--json") as (_, line):
        said = json.loads(line)
        assert said["url"] == f"http://127.0.0.1:{said['port']}"
        assert httpx.get(said["control_url"] + "/state", trust_env=False).status_code == 200


def test_like_production_with_a_token_that_isn_t_printed_and_a_scenario(tmp_path: Path, payload_2_50: str) -> None:
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps({"steps": [{"pay": {"qr": payload_2_50}}]}), encoding="utf-8")
    arguments = ("--like", "production", "--token", "planted-secret", "--scenario", str(file))
    with running(*arguments) as (process, url):
        state = httpx.get(url + "/_simulator/state", trust_env=False).json()
        switches = {switch["name"]: switch["value"] for switch in state["switches"]}
        assert (switches["daily_quota"], switches["md5_list_closed"]) == (100, True)
        assert state["payments_made"] == 1
        process.kill()
        assert process.stdout is not None
        assert "planted-secret" not in process.stdout.read()


@pytest.fixture
def run(khqr_here: Khqr) -> Any:
    """`khqr simulate` with what ends it at once, in this process: exit code, and what it says as text."""

    def run(*arguments: Any) -> Any:
        done = khqr_here("simulate", *arguments)
        return SimpleNamespace(returncode=done.returncode, stdout=done.stdout.decode(), stderr=done.stderr.decode())

    return run


def test_a_taken_port_is_said_in_one_line(run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert done.stderr.startswith("khqr simulate: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "scenario.json"), ("{", "scenario.json: can't be read"), ('{"steps": [{}]}', "steps[0]: isn't an object")],
)
def test_a_scenario_that_can_t_be_had_is_said_in_one_line(
    run: Any, tmp_path: Path, content: str, complaint: str
) -> None:
    file = tmp_path / "scenario.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    done = run("--port", "0", "--scenario", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("--port", "70000"), ("--port", "x"), ("--like", "sandbox"), ("--typo",)])
def test_a_wrong_option_is_a_usage_error(run: Any, arguments: Any) -> None:
    assert run(*arguments).returncode == 2


def test_help_says_what_the_exit_codes_mean(run: Any) -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "Exit code 0: it was stopped." in " ".join(done.stdout.split())


@pytest.fixture
def payload_2_50() -> str:
    """2.50 US dollars to sokha@aclb."""
    from bakong_khqr import emv

    text = "00020101021229140010sokha@aclb52045999530384054042.505802KH5912Sokha Coffee6010Phnom Penh6304"
    return text + emv.crc16(text)
