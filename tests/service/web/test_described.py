"""Every operation of the document is asked, and each real answer is held against it: status, headers and body.

The clients of all tests here do the same (`conftest.Described`). This test leaves no operation out, and its answers are
the document's examples. `WRITE=1 pytest tests/service/web/test_described.py` writes them and `docs/openapi.json` anew.
"""

import json
import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import attrs
import httpx
import pytest

from bakong_service import webhooks
from bakong_service.domain.delivery import SCHEDULES, AttemptResult
from bakong_service.domain.endpoint import TargetPolicy
from bakong_service.web.http import queries
from bakong_service.web.http.openapi import document, examples, operation_id
from bakong_service.web.http.service import Service
from bakong_service.web.routes import ROUTES
from bakong_service.webhooks.sender import Sender
from bakong_service.workers.delivery import Deliverer
from bakong_service.workers.dispatch import Dispatcher
from bakong_service.workers.watcher import Settlement
from kit.described import Described
from kit.service import ServiceOf

pytestmark = pytest.mark.anyio

SECRET = "the-secret-of-notices-0123456789abcdef"
EXAMPLES = resources.files("bakong_service.web.http").joinpath("examples.json")
FILE = Path(__file__).parents[3] / "docs" / "openapi.json"
WRITES = "WRITE" in os.environ


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    settings = {"NOTIFY_SECRET": SECRET, "PUBLIC_URL": "https://pay.example.com", "RATE_LIMIT": "1000/minute"}
    made: Service = service_of(**settings)
    return made


class Wire(Sender):
    """The main backend's endpoint."""

    def __init__(self) -> None:
        super().__init__(TargetPolicy())

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> AttemptResult:
        del url, headers, body
        return AttemptResult(status=204, error=None, response=None, duration=SCHEDULES["default"].steps[0])


class Walker:
    """Asks everything once."""

    def __init__(self, client: httpx.AsyncClient, service: Service, settlement: Settlement) -> None:
        self.client, self.service, self.settlement = client, service, settlement
        assert isinstance(client._transport, Described)
        self.described = client._transport
        self.described.events = True
        self.requests: dict[str, Any] = {}
        self.queries: dict[str, dict[str, str]] = {}  # of the last request of each operation
        self.pairs: dict[str, tuple[int, Any]] = {}  # the status and body of the answer to each of `requests`

    async def ask(self, method: str, path: str, body: Any = None, *, status: int = 200, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.client.request(method, path, json=body, headers=named)
        asked = dict(parse_qsl(path.partition("?")[2]))
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        operation = self._operation(method, path.partition("?")[0])
        if asked and operation is not None:
            self.queries[operation] = asked
        if body is not None and status < 400 and operation is not None and operation not in self.requests:
            self.requests[operation] = body
            self.pairs[operation] = status, answer.json()
        return answer.json() if answer.content and answer.headers["content-type"] == "application/json" else answer

    def _operation(self, method: str, path: str) -> str | None:
        for route in ROUTES:
            if route.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), path):
                return operation_id(route)
        return None

    async def work(self) -> None:
        now = self.service.clock.now()
        await self.settlement.step(now)
        await Dispatcher(self.service.executor, self.service.business, self.service.clock).step(now)
        deliverer = Deliverer(self.service.executor, self.service.business, self.service.clock, sender=Wire())
        while await deliverer.step(now) <= now or deliverer._under_way:
            await deliverer.ended()

    async def buy(self, user: str, plan: str) -> dict[str, Any]:
        made: dict[str, Any] = await self.ask("POST", "/v1/payments", {"user_id": user, "plan": plan}, status=201)
        await self.pay(made)
        return made

    async def pay(self, payment: dict[str, Any], **wrong: str) -> None:
        await self.ask("POST", "/v1/test/pay", {"reference": payment["reference"], **wrong})
        await self.ask("POST", payment["links"]["check"], status=202)
        await self.work()

    async def payments(self) -> None:
        made = await self.ask(
            "POST",
            "/v1/payments",
            {"amount": "2.50", "currency": "USD", "description": "Coffee", "user_id": "u0"},
            status=201,
        )
        here = made["links"]
        for name in ("qr_png", "qr_svg", "card_png", "card_svg", "deeplink", "history", "receipts"):
            await self.ask("GET", here[name])
        tag = (await self.client.get(here["self"])).headers["etag"]
        await self.ask("GET", here["self"], status=304, if_none_match=tag)
        await self.ask("HEAD", here["self"])
        await self.ask("POST", here["check"], status=202)
        await self.ask("POST", "/v1/payments/checks", {"md5s": [made["md5"], "0" * 32]})
        await self.ask("POST", here["cancel"], {"reason": "the guest left"})
        async with self.client.stream("GET", here["events"]) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
        again = await self.client.get(here["events"], headers={"Last-Event-ID": "2"})
        assert again.status_code == 204
        await self.ask("GET", "/v1/payments?limit=2")

    async def links(self) -> None:
        new = {"amount": "2.50", "currency": "USD", "description": "Iced coffee", "max_uses": 100}
        made = await self.ask("POST", "/v1/links", new, status=201)
        here = f"/v1/links/{made['reference']}"
        await self.ask("GET", here)
        await self.ask("GET", "/v1/links")
        for name in ("qr.png", "qr.svg"):
            await self.ask("GET", f"{here}/{name}")
        await self.ask("POST", f"{here}/close")

    async def money(self) -> None:
        wrong = await self.ask(
            "POST", "/v1/payments", {"amount": "2.50", "currency": "USD", "user_id": "u9"}, status=201
        )
        await self.pay(wrong, amount="0.01")
        [item] = (await self.ask("GET", "/v1/reviews"))["data"]
        await self.ask("GET", f"/v1/reviews/{item['reference']}")
        await self.ask("POST", f"/v1/reviews/{item['reference']}/resolve", {"action": "credit"})
        right = await self.ask("POST", "/v1/payments", {"amount": "1.00", "currency": "USD"}, status=201)
        await self.pay(right)
        await self.ask("POST", right["links"]["check"])
        await self.ask("GET", right["links"]["receipts"])
        sent = {"refund_reference": "FT26110112345", "amount": "0.10"}
        await self.ask("POST", f"{right['links']['self']}/refund", sent)
        await self.ask("POST", f"{right['links']['self']}/refund", {"refund_reference": "FT26110254321"})
        await self.ask("GET", "/v1/reports/takings?from=2026-11-01&until=2026-12-01")
        await self.ask("GET", "/v1/reports/takings?from=2026-11-01&until=2026-12-01&format=csv")

    async def subscriptions(self) -> None:
        terms = {"code": "GOLD", "name": "Gold", "amount": "9.99", "currency": "USD"}
        await self.ask("POST", "/v1/plans", terms, status=201)
        await self.ask("GET", "/v1/plans")
        await self.ask("POST", "/v1/plans/GOLD/withdraw")
        for user in ("u1", "u2", "u4"):
            await self.buy(user, "PREMIUM")
        there = "/v1/users/u1/subscription"
        subscription = await self.ask("GET", there)
        here = f"/v1/subscriptions/{subscription['reference']}"
        for path in (there, here):
            tag = (await self.client.get(path)).headers["etag"]
            await self.ask("GET", path, status=304, if_none_match=f'"0", {tag}')
        await self.ask("GET", here)
        await self.ask("GET", f"{here}/history")
        await self.ask("GET", "/v1/subscriptions")
        await self.ask("POST", f"{here}/upgrade", {"plan": "FAMILY_PREMIUM", "preview": True})
        asked = await self.ask("POST", f"{here}/upgrade", {"plan": "FAMILY_PREMIUM"}, status=201)
        await self.pay(asked["payment"])
        await self.ask("POST", f"{here}/downgrade", {"plan": "PREMIUM", "at": "now", "preview": True})
        await self.ask("POST", f"{here}/downgrade", {"plan": "PREMIUM"})
        await self.ask("POST", f"{here}/renew", status=201)
        await self.ask("POST", f"{here}/cancel", {"at": "now", "preview": True})
        await self.ask("POST", f"{here}/cancel", {"reason": "too dear"})
        await self.ask("POST", f"{here}/resume")
        given = {"amount": "9.00", "currency": "USD", "reason": "goodwill"}
        await self.ask("POST", "/v1/users/u4/credit", given, status=201)
        rich = await self.ask("GET", "/v1/users/u4/subscription")
        await self.ask("POST", f"/v1/subscriptions/{rich['reference']}/renew")

    async def webhooks(self) -> None:
        await self.ask("GET", "/v1/endpoints")
        new = {"url": "https://shop.example/hooks", "description": "The shop", "event_types": ["endpoint.test"]}
        made = await self.ask("POST", "/v1/endpoints", new, status=201)
        here = f"/v1/endpoints/{made['reference']}"
        read = await self.client.get(here)
        await self.ask("GET", here, status=304, if_none_match=read.headers["etag"])
        await self.ask("PATCH", here, {"description": "The shop in Siem Reap"})
        await self.ask("POST", f"{here}/enable")
        await self.ask("POST", f"{here}/rotate", {})
        event = await self.ask("POST", f"{here}/test", status=202)
        await self.work()
        await self.ask("GET", "/v1/events?type=subscription.activated")
        await self.ask("GET", "/v1/events")
        await self.ask("GET", f"/v1/events/{event['id']}")
        [delivery] = (await self.ask("GET", "/v1/deliveries"))["data"]
        await self.ask("GET", f"/v1/deliveries/{delivery['reference']}")
        await self.ask("POST", f"/v1/deliveries/{delivery['reference']}/retry", status=202)
        await self.ask("POST", f"{here}/replay", {"since": "2026-11-01T00:00:00Z"}, status=202)
        await self.ask("GET", "/v1/endpoints")
        await self.ask("DELETE", here)

    async def operating(self) -> None:
        new = {"name": "the till", "scopes": ["payments:read", "payments:write"]}
        made = await self.ask("POST", "/v1/keys", new, status=201, idempotency_key="k1")
        again = await self.client.post("/v1/keys", json=new, headers={"Idempotency-Key": "k1"})
        assert again.headers["idempotency-replayed"] == "true"
        await self.ask("POST", f"/v1/keys/{made['key_id']}/rotate", {"overlap_seconds": 3600}, status=201)
        await self.ask("POST", f"/v1/keys/{made['key_id']}/revoke")
        for path in ("/v1/keys", "/v1/audit", "/v1/budget", "/v1/verify", "/openapi.json", "/docs", "/", "/metrics"):
            await self.ask("GET", path)
        for path in ("/openapi.json", "/docs", "/"):
            tag = (await self.client.get(path)).headers["etag"]
            await self.ask("GET", path, status=304, if_none_match=tag)
        await self.ask("GET", "/health/live")
        await self.ask("GET", "/health/ready")
        await self.ask("POST", "/v1/test/clock/advance", {"seconds": 60})

    async def notices(self) -> None:
        made = await self.ask("POST", "/v1/payments", {"amount": "4000", "currency": "KHR"}, status=201)
        for status in (202, 200):
            content = json.dumps({"md5": made["md5"]}).encode()
            headers = webhooks.sign("n1", content, [SECRET], at=self.service.clock.now())
            headers |= {"Content-Type": "application/json", "Authorization": ""}
            answer = await self.client.post("/v1/notify/bakong", content=content, headers=headers)
            assert answer.status_code == status, answer.text
        self.requests.setdefault("post_v1_notify_bakong", {"md5": made["md5"]})

    async def refusals(self) -> None:
        await self.ask("GET", "/v1/payments/pay_x", status=404)
        await self.ask("POST", "/v1/payments", {"amount": "x", "currency": "EUR", "foo": 1}, status=422)
        await self.ask("GET", "/v1/payments", status=401, authorization="Bearer wrong")


@pytest.fixture
def walker(client: httpx.AsyncClient, service: Service, settlement: Settlement) -> Walker:
    """A walker in a world where time stands still."""
    return Walker(client, service, settlement)


async def test_every_operation_answers_as_it_is_described(walker: Walker) -> None:
    for part in ("payments", "links", "subscriptions", "webhooks", "operating", "notices", "money", "refusals"):
        await getattr(walker, part)()
    successes = {
        (operation_id(route), status)
        for route in ROUTES
        for status in (route.status, *route.also)
        if status != 503  # an unready service is another test's
    }
    assert successes - walker.described.seen == set()
    taken = _examples(walker)
    if WRITES:
        _write(Path(str(EXAMPLES)), json.dumps(taken, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    kept = json.loads(EXAMPLES.read_text("utf-8"))
    assert {name: sorted(example) for name, example in kept.items()} == {
        name: sorted(example) for name, example in taken.items()
    }


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


def _examples(walker: Walker) -> dict[str, dict[str, Any]]:
    """One real answer for each operation and status; of a list one item."""
    found: dict[str, dict[str, Any]] = {}
    for (operation, status), body in walker.described.answers.items():
        if operation == "get_openapi_json":
            continue
        if status >= 400:
            found.setdefault("problems", {}).setdefault(str(status), body)
            continue
        if body.get("object") == "list":
            body = body | {"data": body["data"][:1]}
        found.setdefault(operation, {})[str(status)] = body
    for operation, body in walker.requests.items():
        found[operation]["request"] = body
        if operation in walker.pairs:  # the answer to that request, not to a later one
            status, answer = walker.pairs[operation]
            found[operation][str(status)] = answer
    for route in ROUTES:
        if needed := [field for field in attrs.fields(route.query) if field.default is attrs.NOTHING]:
            names = [queries.parameter(field) for field in needed]
            asked = walker.queries[operation_id(route)]
            found[operation_id(route)]["query"] = {name: asked[name] for name in names}
    return found


def test_the_document_in_the_repository_is_the_one_that_is_served() -> None:
    text = json.dumps(document(ROUTES), ensure_ascii=False, indent=1) + "\n"
    if WRITES:
        examples.cache_clear()  # they were written a moment ago
        text = json.dumps(document(ROUTES), ensure_ascii=False, indent=1) + "\n"
        _write(FILE, text)
    assert FILE.read_text("utf-8") == text, (
        "docs/openapi.json is out of date: WRITE=1 pytest tests/service/web/test_described.py writes it anew"
    )
