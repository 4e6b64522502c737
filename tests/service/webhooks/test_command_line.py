"""`bakong-service webhooks`, as an operator uses it."""

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from bakong_service.cli.app import app
from bakong_service.domain.event import NewEvent
from bakong_service.domain.identifiers import Identifiers
from bakong_service.operations.unit_of_work import transaction
from bakong_service.storage.engine.executor import connect
from bakong_service.storage.webhooks import outbox

SETTINGS = {
    "MODE": "test",
    "BAKONG_DEVELOPER_TOKEN": "simulator",
    "BAKONG_BASE_URL": "http://127.0.0.1:9",
    "BAKONG_MERCHANT_ID": "sokha@aclb",
    "MERCHANT_NAME": "Sokha Coffee",
    "ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef",
    "LOG_LEVEL": "ERROR",
}
Run = Callable[..., Any]


@pytest.fixture
def run(sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `bakong-service webhooks ...`; what it printed, from JSON."""
    for name, value in {**SETTINGS, "DATABASE_URL": sqlite_url}.items():
        monkeypatch.setenv(name, value)

    def command(*words: str, as_json: bool = True) -> Any:
        app(["webhooks", *words, *(["--json"] if as_json else [])], result_action="return_value")
        printed = capsys.readouterr().out
        return json.loads(printed) if as_json else printed

    return command


def dispatch_one(url: str) -> None:
    """An event, written and dispatched by the service."""
    from bakong_service.clock import Clock
    from bakong_service.domain.policy import Shop
    from bakong_service.operations.business import Business
    from bakong_service.operations.webhooks import dispatching
    from bakong_service.vault import Vault

    business = Business(
        shop=Shop(bakong_account_id="a@b", merchant_name="A"), vault=Vault({"0": b"x" * 32}, b"test mode")
    )

    async def write() -> None:
        executor = connect(url)
        await executor.start()
        event = NewEvent(type="payment.paid", subject="pay_1", previous_status="pending", data={})
        await executor.run(lambda c: outbox.append(c, Identifiers(), event, now=Clock().now()))
        await executor.run(transaction(business, "user", Clock().now(), dispatching.dispatch))
        await executor.close()

    anyio.run(write)


def test_an_endpoint_is_made_shown_changed_tested_rotated_and_deleted(run: Run) -> None:
    made = run("create", "https://shop.example/hooks", "--event-type", "payment.paid", "--description", "Shop")
    assert made["secret"].startswith("whsec_")
    (listed,) = run("list")
    assert listed == {name: value for name, value in made.items() if name != "secret"}
    assert made["secret"] not in run("list", as_json=False)
    assert "https://shop.example/hooks" in run("list", as_json=False).replace("\n", "")
    assert run("change", made["reference"], "--url", "https://shop.example/2")["url"] == "https://shop.example/2"
    assert run("test", made["reference"])["id"].startswith("evt_")
    assert run("rotate", made["reference"])["secret"] != made["secret"]
    assert run("enable", made["reference"])["state"] == "enabled"
    run("delete", made["reference"], as_json=False)
    assert run("list") == []


def test_deliveries_are_listed_shown_tried_again_and_replayed(run: Run, sqlite_url: str) -> None:
    endpoint = run("create", "https://shop.example/hooks")["reference"]
    dispatch_one(sqlite_url)
    (delivery,) = run("deliveries", "--state", "pending", "--endpoint", endpoint)
    assert (delivery["event_type"], delivery["subject"]) == ("payment.paid", "pay_1")
    assert run("deliveries", "--state", "failed") == []
    assert run("show", delivery["reference"]) == delivery | {"attempts_made": []}
    assert delivery["reference"] in run("show", delivery["reference"], as_json=False)
    assert run("retry", delivery["reference"])["reference"] == delivery["reference"]
    assert run("replay", endpoint, "--since", "2020-01-01T00:00:00")["count"] == 0
    assert run("replay", endpoint, "--since", "2020-01-01T00:00:00+07:00", "--all") == {
        "object": "replay",
        "count": 1,
        "next_after": None,
    }
    assert len(run("deliveries", "--event", delivery["event"])) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "http://10.0.0.1/"], "/url: it takes https://"),
        (["create", "https://shop.example/", "--event-type", "payment.lost"], "no events of type payment.lost"),
        (["show", "dlv_1"], "there is no delivery dlv_1"),
        (["enable", "we_1"], "there is no endpoint we_1"),
    ],
)
def test_what_cant_be_done_is_said_and_ends_with_1(
    run: Run, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code == 1
    assert message in capsys.readouterr().err
