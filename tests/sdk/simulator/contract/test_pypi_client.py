"""PyPI's `bakong-khqr`: its MD5 checks, one and many."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from bakong_khqr.testing import BakongSimulator

Run = Callable[[str, Sequence[str]], str]

# It only knows the live host and TLS: both are pointed at the simulator, the rest is as published.
PROGRAM = """
import http.client, json, sys
http.client.HTTPSConnection = http.client.HTTPConnection
from bakong_khqr import KHQR

url, token, method, argument = sys.argv[1:]
client = KHQR(token)
client._KHQR__bakong_api = url + "/v1"
try:
    print(json.dumps(getattr(client, method)(json.loads(argument))))
except ValueError as error:
    print(json.dumps({"error": str(error)}))
"""
UNPAID = "0" * 32


def ask(run_pypi: Run, url: str, method: str, argument: object, token: Any = "simulator") -> Any:
    return json.loads(run_pypi(PROGRAM, [url, token, method, json.dumps(argument)]))


def test_it_tells_paid_from_unpaid(bakong: BakongSimulator, url: str, run_pypi: Run, payload: str) -> None:
    md5 = bakong.pay(payload).md5
    assert ask(run_pypi, url, "check_payment", md5) == "PAID"
    assert ask(run_pypi, url, "check_payment", UNPAID) == "UNPAID"


def test_it_reads_a_payment_s_details(bakong: BakongSimulator, url: str, run_pypi: Run, payload: str) -> None:
    payment = bakong.pay(payload)
    details = ask(run_pypi, url, "get_payment", payment.md5)
    assert (details["hash"], details["amount"], details["currency"]) == (payment.hash, 2.5, "USD")
    assert ask(run_pypi, url, "get_payment", UNPAID) is None


def test_it_finds_the_paid_ones_of_many(bakong: BakongSimulator, url: str, run_pypi: Run, payload: str) -> None:
    md5 = bakong.pay(payload).md5
    assert ask(run_pypi, url, "check_bulk_payments", [UNPAID, md5]) == [md5]


def test_it_gets_a_deep_link(bakong: BakongSimulator, url: str, run_pypi: Run, payload: str) -> None:
    assert ask(run_pypi, url, "generate_deeplink", payload).startswith("https://bakong.page.link/")


def test_it_says_that_a_closed_list_is_closed(bakong: BakongSimulator, url: str, run_pypi: Run) -> None:
    bakong.configure(md5_list_closed=True)
    assert "Cambodia" in ask(run_pypi, url, "check_bulk_payments", [UNPAID])["error"]


def test_it_takes_a_spent_quota_for_unpaid_as_it_does_in_the_wild(
    bakong: BakongSimulator, url: str, run_pypi: Run, payload: str
) -> None:
    md5 = bakong.pay(payload).md5
    bakong.configure(daily_quota=1)
    assert ask(run_pypi, url, "check_payment", md5) == "PAID"
    assert ask(run_pypi, url, "check_payment", md5) == "UNPAID"
