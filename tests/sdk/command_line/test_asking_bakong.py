"""`khqr check`, `watch`, `account`, `deeplink`, `token` and `doctor` against a simulator on a port."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bakong_khqr import KHQR
from bakong_khqr.cli.app import app
from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.server import serve

YES, NO, UNUSABLE, UNKNOWN = range(4)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[BakongSimulator, str]]:
    simulator = BakongSimulator()
    with serve(simulator) as url:
        yield simulator, url


@pytest.fixture
def simulator(served: tuple[BakongSimulator, str], monkeypatch: pytest.MonkeyPatch) -> BakongSimulator:
    """A simulator as new, which the environment names."""
    simulator, url = served
    simulator.reset()
    monkeypatch.setenv("BAKONG_BASE_URL", url)
    monkeypatch.setenv("BAKONG_TOKEN", "simulator")
    monkeypatch.setenv("BAKONG_EMAIL", "simulator@example.test")
    monkeypatch.setenv("KHQR_LANGUAGE", "en")
    return simulator


@pytest.fixture
def khqr_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process: (exit code, standard output, standard error)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
        code = command(*bound.args, **bound.kwargs)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def code() -> KHQR:
    """A code that is made now."""
    return KHQR.individual(
        bakong_account_id="sokha@aclb",
        merchant_name="Sokha Coffee",
        currency="USD",
        amount="2.50",
        expires_in=timedelta(minutes=10),
    )


class TestCheck:
    def test_a_code_that_nobody_paid_is_no(self, simulator: Any, khqr_command: Any, code: KHQR) -> None:
        assert khqr_command("check", code.payload) == (NO, "NOT FOUND (yet)\n", "")

    def test_a_code_that_was_paid_is_yes(self, simulator: Any, khqr_command: Any, code: KHQR) -> None:
        simulator.pay(code)
        status, out, _ = khqr_command("check", code.payload)
        assert (status, out.splitlines()[:2]) == (
            YES,
            ["PAID, and it is the payment that the code asks for", "amount: $ 2.50"],
        )

    def test_an_md5_alone_is_found_and_not_called_paid(self, simulator: Any, khqr_command: Any, code: KHQR) -> None:
        simulator.pay(code, amount="0.01")
        status, out, _ = khqr_command("check", code.md5, "--json")
        said = json.loads(out)
        assert (status, said["state"], said["transaction"]["amount"]) == (YES, "found", "0.01")

    def test_another_payment_is_no_with_every_difference(self, simulator: Any, khqr_command: Any, code: KHQR) -> None:
        simulator.pay(code, amount="0.01", currency="KHR", to_account_id="thief@bank")
        status, out, _ = khqr_command("check", code.payload, "--json")
        said = json.loads(out)
        assert (status, said["state"]) == (NO, "mismatch")
        assert said["differences"] == [
            {"field": "to_account_id", "expected": "sokha@aclb", "actual": "thief@bank"},
            {"field": "currency", "expected": "USD", "actual": "KHR"},
            {"field": "amount", "expected": "2.50", "actual": "0.01"},
        ]

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            ({"kind": "unauthorized"}, "Unauthorized"),
            ({"kind": "blocked"}, "Blocked"),
            ({"kind": "error_code", "error_code": 5}, "InvalidRequest"),
            ({"kind": "error_code", "error_code": 17}, "QuotaExceeded"),
            ({"kind": "error_code", "error_code": 42}, "UnexpectedAnswer"),
            ({"kind": "garbage"}, "UnexpectedAnswer"),
        ],
    )
    def test_an_answer_that_is_not_known_is_never_no(
        self, simulator: Any, khqr_command: Any, code: KHQR, fault: Any, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("BAKONG_EMAIL")
        simulator.inject(times=None, **fault)
        status, out, err = khqr_command("check", code.md5, "--json")
        assert (status, json.loads(out)["state"], json.loads(out)["error"]) == (UNKNOWN, "unknown", kind)
        assert err.startswith("khqr check: unknown, which doesn't mean no:")
        assert len(err.splitlines()) == 2, "what to do stands below"

    @pytest.mark.parametrize("command", ["check", "watch"])
    def test_a_server_that_has_no_such_path_knows_nothing_of_the_payment(
        self, simulator: Any, khqr_command: Any, code: KHQR, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        monkeypatch.setenv("BAKONG_BASE_URL", os.environ["BAKONG_BASE_URL"] + "/elsewhere")
        status, out, err = khqr_command(command, code.payload, "--json")
        assert (status, json.loads(out)["state"], json.loads(out)["error"]) == (UNKNOWN, "unknown", "InvalidRequest")
        assert "HTTP 404" in err

    @pytest.mark.parametrize("command", ["check", "watch"])
    def test_an_address_that_is_none_is_a_usage_error(
        self, simulator: Any, khqr_command: Any, code: KHQR, command: str
    ) -> None:
        assert khqr_command(command, code.payload, "--base-url", "nonsense", "--json")[:2] == (UNUSABLE, "")

    @pytest.mark.parametrize("argument", ["", "nonsense", "0" * 31, "00020101"])
    def test_what_is_neither_md5_nor_payload_is_a_usage_error(
        self, simulator: Any, khqr_command: Any, argument: str
    ) -> None:
        status, out, err = khqr_command("check", argument)
        assert (status, out) == (UNUSABLE, "")
        assert err.startswith("khqr check: ")

    def test_khmer_is_spoken_when_the_option_or_the_environment_asks(
        self, simulator: Any, khqr_command: Any, code: KHQR, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert khqr_command("check", code.md5, "--language", "km")[1] == "រកមិនឃើញ (នៅឡើយ)\n"
        monkeypatch.delenv("KHQR_LANGUAGE")
        monkeypatch.setenv("LC_ALL", "km_KH.UTF-8")
        assert khqr_command("check", code.md5)[1] == "រកមិនឃើញ (នៅឡើយ)\n"

    def test_the_token_may_come_from_a_file(
        self, simulator: Any, khqr_command: Any, code: KHQR, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("BAKONG_TOKEN")
        monkeypatch.delenv("BAKONG_EMAIL")
        status, _, err = khqr_command("check", code.md5)
        assert (status, "needs a token" in err) == (UNKNOWN, True)
        (tmp_path / "token").write_text("simulator\n", encoding="utf-8")
        assert khqr_command("check", code.md5, "--token-file", str(tmp_path / "token"))[0] == NO
        assert khqr_command("check", code.md5, "--token-file", str(tmp_path / "absent"))[0] == UNUSABLE


class TestWatch:
    def test_it_ends_with_the_payment(self, simulator: Any, khqr_command: Any, code: KHQR) -> None:
        simulator.pay(code)
        status, out, err = khqr_command("watch", code.payload, "--json")
        assert (status, json.loads(out)["state"]) == (YES, "paid")
        assert "waiting for <KHQR" in err

    def test_a_code_whose_time_is_over_is_no(self, simulator: Any, khqr_command: Any) -> None:
        over = _made_long_ago()
        assert khqr_command("watch", over.payload)[:2] == (NO, "NOT PAID: not found after the code's expiry\n")

    def test_another_payment_is_no(self, simulator: Any, khqr_command: Any) -> None:
        over = _made_long_ago()
        simulator.pay(over, amount="0.01", created_at=over.created_at)
        status, out, _ = khqr_command("watch", over.payload, "--json")
        assert (status, json.loads(out)["state"]) == (NO, "mismatch")

    def test_an_outage_at_the_end_is_unknown(self, simulator: Any, khqr_command: Any) -> None:
        simulator.inject("error_code", error_code=42, times=None)
        assert khqr_command("watch", _made_long_ago().payload)[0] == UNKNOWN

    def test_a_static_code_is_refused(self, simulator: Any, khqr_command: Any) -> None:
        static = KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee")
        status, _, err = khqr_command("watch", static.payload)
        assert (status, "is static" in err) == (UNUSABLE, True)


def _made_long_ago() -> KHQR:
    from datetime import UTC, datetime

    return KHQR.individual(
        bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee", currency="USD", amount="2.50",
        created_at=datetime(2026, 1, 1, tzinfo=UTC), expires_at=datetime(2026, 1, 1, 0, 10, tzinfo=UTC),
    )  # fmt: skip


class TestAccountAndDeeplink:
    def test_an_account_that_exists_is_yes(
        self, simulator: Any, khqr_command: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("BAKONG_TOKEN")
        status, out, _ = khqr_command("account", "sokha@aclb", "--json")
        assert (status, json.loads(out)["state"]) == (YES, "exists")
        assert khqr_command("account", "sokha@aclb")[1].startswith("sokha@aclb: exists\n")

    def test_one_that_does_not_is_no_and_one_that_cannot_be_a_usage_error(
        self, simulator: Any, khqr_command: Any
    ) -> None:
        simulator.inject("error_code", error_code=11)
        assert khqr_command("account", "nobody@aclb")[:2] == (NO, "nobody@aclb: no such account\n")
        assert khqr_command("account", "nobody")[0] == UNUSABLE
        simulator.inject("error_code", error_code=42)
        assert khqr_command("account", "sokha@aclb")[0] == UNKNOWN

    def test_a_link_is_printed_alone(self, simulator: Any, khqr_command: Any, code: KHQR) -> None:
        status, out, _ = khqr_command("deeplink", code.payload)
        assert (status, out.startswith("https://"), out.count("\n")) == (YES, True, 1)

    def test_the_source_is_sent_whole_or_not_at_all(self, simulator: Any, khqr_command: Any, code: KHQR) -> None:
        whole = [
            "--app-name",
            "Shop",
            "--app-icon-url",
            "https://shop.example/i.png",
            "--app-deep-link-callback",
            "shop://paid",
        ]
        status, out, _ = khqr_command("deeplink", code.payload, "--json", *whole)
        assert (status, list(json.loads(out))) == (YES, ["short_link"])
        assert json.loads(simulator.requests[-1].body)["sourceInfo"]["appDeepLinkCallback"] == "shop://paid"
        status, _, err = khqr_command("deeplink", code.payload, *whole[:4])
        assert (status, "missing: --app-deep-link-callback" in err) == (UNUSABLE, True)


class TestToken:
    def test_claims_and_days_left_are_shown_and_the_token_is_not(
        self, simulator: Any, khqr_command: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = simulator.issue_token()
        monkeypatch.setenv("BAKONG_TOKEN", token)
        status, out, err = khqr_command("token", "show", "--json")
        assert (status, json.loads(out)["days_left"]) == (YES, 89)
        assert khqr_command("token")[1].splitlines()[-1] == "days left: 89"
        assert token not in out + err

    def test_an_expired_token_is_no_and_none_a_usage_error(
        self, simulator: Any, khqr_command: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BAKONG_TOKEN", simulator.issue_token(lifetime=timedelta(days=-1)))
        status, out, _ = khqr_command("token", "show")
        assert (status, out.splitlines()[-1]) == (NO, "the token has expired: khqr token renew")
        monkeypatch.delenv("BAKONG_TOKEN")
        assert khqr_command("token", "show")[0] == UNUSABLE

    def test_a_renewed_token_is_written_for_its_owner_alone(
        self, simulator: Any, khqr_command: Any, tmp_path: Path
    ) -> None:
        path = tmp_path / "token"
        path.write_text("the old one", encoding="utf-8")
        status, out, err = khqr_command("token", "renew", "--out", str(path), "--json")
        token = path.read_text(encoding="utf-8").strip()
        assert (status, list(json.loads(out))) == (YES, ["expires_at"])
        assert token.startswith("eyJ")
        assert token not in out + err
        assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [path]

    def test_it_is_printed_only_when_asked_for(self, simulator: Any, khqr_command: Any) -> None:
        assert khqr_command("token", "renew", "--reveal")[1].startswith("eyJ")

    def test_nothing_is_renewed_when_the_new_token_has_no_place_to_go(
        self, simulator: Any, khqr_command: Any, tmp_path: Path
    ) -> None:
        assert khqr_command("token", "renew")[0] == UNUSABLE
        assert khqr_command("token", "renew", "--out", str(tmp_path / "absent" / "token"))[0] == UNUSABLE
        assert not simulator.requests

    def test_an_email_that_bakong_does_not_know_is_said(self, simulator: Any, khqr_command: Any) -> None:
        status, _, err = khqr_command("token", "renew", "--reveal", "--email", "nobody@example.test")
        assert (status, "isn't registered" in err, "nobody@" in err) == (UNKNOWN, True, False)


class TestDoctor:
    def test_all_is_well(self, simulator: Any, khqr_command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BAKONG_TOKEN", simulator.issue_token())
        status, out, _ = khqr_command("doctor")
        assert (status, {line[0] for line in out.splitlines()}) == (YES, {"✓"})

    def test_what_is_wrong_comes_with_what_to_do_in_both_languages(self, simulator: Any, khqr_command: Any) -> None:
        simulator.configure(geo_block=True)
        status, out, _ = khqr_command("doctor")
        assert (status, out.splitlines()[-2]) == (NO, "✗ Bakong refuses this machine's country (HTTP 403).")
        status, out, _ = khqr_command("doctor", "--language", "km")
        assert (status, out.splitlines()[-2]) == (NO, "✗ បាគងបដិសេធប្រទេសរបស់ម៉ាស៊ីននេះ (HTTP 403)។")
        status, out, _ = khqr_command("doctor", "--json")
        assert [json.loads(line)["verdict"] for line in out.splitlines()][-1] == "failure"

    def test_an_address_that_is_none_is_a_usage_error(self, simulator: Any, khqr_command: Any) -> None:
        assert khqr_command("doctor", "--base-url", "nonsense")[0] == UNUSABLE


@pytest.mark.parametrize("command", [("doctor",), ("check", "0" * 32)], ids=lambda command: command[0])
@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY", "NO_PROXY"])
def test_a_proxy_setting_that_is_none_is_named_and_never_shown(
    simulator: Any, khqr_command: Any, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], name: str
) -> None:
    monkeypatch.setenv(name, "http://u:hunter2#x@h:80")
    status, out, err = khqr_command(*command)
    if command[0] == "doctor":  # which finds it
        assert (status, err) == (NO, "")
        assert f"can't be used: {name}: " in out
    else:
        assert (status, out) == (UNUSABLE, "")
        assert err.startswith(f"khqr {command[0]}: {name}: ")
    assert "hunter2" not in out + err


def test_as_real_processes_the_commands_exit_as_they_say(simulator: Any, code: KHQR) -> None:
    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-c", "from bakong_khqr.cli.app import main; main()", *arguments]
        return subprocess.run(program, input=stdin, capture_output=True, encoding="utf-8", timeout=60, check=False)

    assert run("check", "-", stdin=code.payload + "\n").returncode == NO
    simulator.pay(code)
    assert run("check", "-", stdin=code.payload + "\n").returncode == YES
    simulator.inject("error_code", error_code=42, times=None)
    done = run("check", code.md5)
    assert (done.returncode, done.stdout) == (UNKNOWN, "")
    assert "Traceback" not in done.stderr
