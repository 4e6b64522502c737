"""The official npm SDK's two calls to the service: deep links and accounts."""

import json
from collections.abc import Callable, Sequence

from bakong_khqr.testing import BakongSimulator

Run = Callable[[str, Sequence[str]], str]

DEEP_LINK = """
const { BakongKHQR, SourceInfo } = require("bakong-khqr");
const [url, qr] = process.argv.slice(1);
const source = new SourceInfo("https://shop.example/i.png", "Shop", "https://shop.example/paid");
const answer = BakongKHQR.generateDeepLink(url + "/v1/generate_deeplink_by_qr", qr, source);
answer.then((r) => console.log(JSON.stringify(r)));
"""
ACCOUNT = """
const { BakongKHQR } = require("bakong-khqr");
const [url, account] = process.argv.slice(1);
BakongKHQR.checkBakongAccount(url, account).then((r) => console.log(JSON.stringify(r)));
"""


def test_it_gets_a_deep_link(bakong: BakongSimulator, url: str, run_node: Run, payload: str) -> None:
    answer = json.loads(run_node(DEEP_LINK, [url, payload]))
    assert answer["status"]["code"] == 0
    assert answer["data"]["shortLink"].startswith("https://bakong.page.link/")
    assert json.loads(bakong.requests[-1].body) == {"qr": payload}  # it checks sourceInfo and then doesn't send it


def test_it_gets_no_link_where_the_provider_fails(
    bakong: BakongSimulator, url: str, run_node: Run, payload: str
) -> None:
    bakong.inject("error_code", error_code=4)
    answer = json.loads(run_node(DEEP_LINK, [url, payload]))
    assert bakong.requests[-1].error_code == 4
    assert answer == {}  # a TypeError of its own: it reads the link out of an answer that has none


def test_it_tells_an_account_that_exists_from_one_that_does_not(
    bakong: BakongSimulator, url: str, run_node: Run
) -> None:
    bakong.accounts.remove("gone@demo")
    for path in ("check_bakong_account", "check_account_exist"):
        for account, exists in (("sokha@demo", True), ("gone@demo", False)):
            answer = json.loads(run_node(ACCOUNT, [f"{url}/v1/{path}", account]))
            assert answer["status"]["code"] == 0
            assert answer["data"] == {"bakongAccountExisted": exists}


def test_it_meets_a_server_error_as_its_own(bakong: BakongSimulator, url: str, run_node: Run) -> None:
    bakong.inject("server_error")
    answer = json.loads(run_node(ACCOUNT, [f"{url}/v1/check_bakong_account", "sokha@demo"]))
    assert answer["status"]["errorCode"] == 13
