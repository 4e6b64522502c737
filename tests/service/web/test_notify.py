"""Inbound notices: signed, recent, taken once, on record, and only ever a hint."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bakong_service import webhooks
from bakong_service.storage.schema import audit_log
from bakong_service.web.http.service import Service
from kit.backup import Backup
from kit.service import ServiceOf, client_of

pytestmark = pytest.mark.anyio

SECRET = "the-secret-of-notices-0123456789abcdef"
PATH = "/v1/notify/bakong"
HERE = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_numbers = count(1)


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    """A service that takes notices. Its proxy names the sender, so that ten wrong signatures block no other sender."""
    made: Service = service_of(NOTIFY_SECRET=SECRET, TRUSTED_PROXIES="127.0.0.1", RATE_LIMIT="off")
    return made


@pytest.fixture
async def payment(client: httpx.AsyncClient) -> dict[str, Any]:
    made: dict[str, Any] = (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).json()
    return made


async def notify(
    stranger: httpx.AsyncClient, service: Service, notice_id: str, *, secret: str = SECRET, age: int = 0, **body: Any
) -> httpx.Response:
    content = json.dumps(body).encode()
    at = service.clock.now() - timedelta(seconds=age)
    headers = webhooks.sign(notice_id, content, [secret], at=at) | {"Content-Type": "application/json"}
    return await stranger.post(PATH, content=content, headers=headers)


async def audited(service: Service, action: str) -> list[Any]:
    query = select(audit_log).where(audit_log.c.action == action).order_by(audit_log.c.id)
    return await service.executor.read(lambda connection: list(connection.execute(query).mappings()))


async def test_a_notice_makes_the_watcher_look_soon_and_nothing_else(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, service: Service, payment: dict[str, Any]
) -> None:
    taken = await notify(stranger, service, "n1", md5=payment["md5"])
    assert (taken.status_code, taken.json()["payment"]) == (202, payment["reference"])
    now = (await client.get(payment["links"]["self"])).json()
    assert (now["status"], now["next_check_reason"]) == ("pending", "hint")
    (line,) = await audited(service, "notice.received")
    assert line["subject"] == payment["reference"]


async def test_a_notice_that_comes_again_changes_nothing_and_is_on_record_each_time(
    stranger: httpx.AsyncClient, service: Service, payment: dict[str, Any]
) -> None:
    await notify(stranger, service, "n1", reference=payment["reference"])
    before = await everything(service)
    for _ in range(3):
        again = await notify(stranger, service, "n1", reference=payment["reference"])
        assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert await everything(service) == before
    assert len(await audited(service, "notice.received")) == 1
    assert [line["details"] for line in await audited(service, "notice.repeated")] == [{"notice": "n1"}] * 3


@pytest.fixture
async def nothing_changes(service: Service, payment: dict[str, Any]) -> AsyncIterator[None]:
    """Whatever the test sends, no row is changed but those of the audit log."""
    before = await everything(service)
    yield
    assert await everything(service) == before


async def everything(service: Service) -> dict[str, list[dict[str, Any]]]:
    """Every row but those of the audit log."""
    backup = Backup(service.executor)
    await backup.take()
    return {table: rows for table, rows in backup.rows.items() if table not in ("audit_log", "audit_numbering")}


def a_sender() -> str:
    """The address of a sender that sent nothing yet."""
    number = next(_numbers)
    return f"10.9.{number // 250}.{number % 250 + 1}"


def another(character: str) -> str:
    return "A" if character != "A" else "B"


@st.composite
def spoilings(draw: st.DrawFn) -> tuple[str, Any]:
    """What is done to a notice that was signed well."""
    texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)
    header = draw(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]))
    drawn: tuple[str, Any] = draw(
        st.one_of(
            st.tuples(st.just("body"), st.integers(0, 10**6)),
            st.tuples(st.just("longer"), st.binary(min_size=1, max_size=20)),
            st.tuples(st.just("secret"), st.text(st.characters(codec="ascii"), min_size=32, max_size=60)),
            st.tuples(st.just("age"), st.integers(301, 10**6) | st.integers(-(10**6), -302)),
            st.tuples(st.just("without"), st.just(header)),
            st.tuples(st.just("header"), st.tuples(st.just(header), texts)),
            st.tuples(st.just("signature"), st.integers(3, 46)),  # one character behind "v1,"
        )
    )
    return drawn


@HERE
@given(spoiling=spoilings())
@example(("header", ("webhook-signature", "")))
@example(("header", ("webhook-signature", "v1,")))
@example(("header", ("webhook-signature", "v1," + "A" * 5000)))
@example(("header", ("webhook-timestamp", "9" * 5000)))
async def test_a_notice_that_isnt_signed_as_it_came_is_refused_changes_nothing_and_is_a_security_event(
    stranger: httpx.AsyncClient,
    service: Service,
    payment: dict[str, Any],
    nothing_changes: None,
    spoiling: tuple[str, Any],
) -> None:
    kind, how = spoiling
    content = json.dumps({"reference": payment["reference"]}).encode()
    at = service.clock.now() - timedelta(seconds=how if kind == "age" else 0)
    secret = how if kind == "secret" and how != SECRET else SECRET
    headers = webhooks.sign(f"n{next(_numbers)}", content, [secret], at=at)
    match kind:
        case "body":
            place = how % len(content)
            content = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        case "longer":
            content += how
        case "without":
            del headers[how]
        case "signature":
            whole = headers["webhook-signature"]
            # The last character before "=" has two bits that no byte needs, so it isn't the one that is changed.
            headers["webhook-signature"] = whole[: how - 1] + another(whole[how - 1]) + whole[how:]
        case "header":
            name, text = how
            headers[name] = text if text != headers[name] else text + "x"
    sender = a_sender()
    headers |= {"Content-Type": "application/json", "X-Forwarded-For": sender}
    refused = await stranger.post(PATH, content=content, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_signature")
    line = (await audited(service, "authentication.failed"))[-1]
    assert (line["level"], line["ip"], line["actor"]) == ("SECURITY", sender, "anonymous")
    assert line["details"] == {"code": "invalid_signature", "path": PATH, "blocked": False}
    assert abs(line["at"] - service.clock.now()) < timedelta(minutes=1)


@pytest.mark.parametrize("age", [301, -301])
async def test_an_old_notice_cant_be_played_again(
    stranger: httpx.AsyncClient, service: Service, payment: dict[str, Any], age: int
) -> None:
    assert (await notify(stranger, service, "n1", age=age, reference=payment["reference"])).status_code == 401


NOBODYS = st.one_of(
    st.fixed_dictionaries(
        {"reference": st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=64)}
    ),
    st.fixed_dictionaries({"reference": st.uuids(version=4).map("pay_{}".format)}),
    st.fixed_dictionaries({"md5": st.text("0123456789abcdef", min_size=32, max_size=32)}),
)


@HERE
@given(body=NOBODYS)
@example({"reference": "pay_none"})
async def test_a_notice_for_a_payment_that_isnt_there_is_a_404_changes_nothing_and_is_on_record(
    stranger: httpx.AsyncClient, service: Service, nothing_changes: None, body: dict[str, Any]
) -> None:
    notice = f"n{next(_numbers)}"
    unknown = await notify(stranger, service, notice, **body)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "payment_not_found")
    line = (await audited(service, "notice.unknown_payment"))[-1]
    assert (line["details"], line["ip"], line["actor"]) == ({"notice": notice}, "127.0.0.1", "notice")


@pytest.mark.parametrize(
    "body", [{}, {"reference": "a", "md5": "0" * 32}, {"reference": 7}, {"md5": "x"}, {"other": 1}]
)
async def test_a_notice_names_one_payment_and_one_that_doesnt_is_on_record(
    stranger: httpx.AsyncClient, service: Service, body: dict[str, Any]
) -> None:
    assert (await notify(stranger, service, "n1", **body)).status_code == 422
    (line,) = await audited(service, "notice.not_understood")
    assert (line["details"], line["ip"], line["actor"]) == ({"notice": "n1"}, "127.0.0.1", "notice")


async def test_every_notice_leaves_one_line_with_its_id_its_sender_and_its_time(
    stranger: httpx.AsyncClient, service: Service, payment: dict[str, Any]
) -> None:
    """Whatever became of it: taken, repeated, for nobody, not understood, or not signed."""
    bodies: tuple[dict[str, Any], ...] = ({"md5": payment["md5"]}, {"md5": payment["md5"]}, {"md5": "0" * 32}, {}, {})
    for number, body in enumerate(bodies):
        notice = "same" if number < 2 else f"n{number}"
        secret = "x" * 40 if number == 4 else SECRET
        await notify(stranger, service, notice, secret=secret, **body)
    query = select(audit_log).where(audit_log.c.actor.in_(["notice", "anonymous"])).order_by(audit_log.c.id)
    lines = await service.executor.read(lambda connection: list(connection.execute(query).mappings()))
    told = [(line["action"], (line["details"] or {}).get("notice"), line["subject"], line["ip"]) for line in lines]
    assert told == [
        ("notice.received", "same", payment["reference"], "127.0.0.1"),
        ("notice.repeated", "same", None, "127.0.0.1"),
        ("notice.unknown_payment", "n2", None, "127.0.0.1"),
        ("notice.not_understood", "n3", None, "127.0.0.1"),
        ("authentication.failed", None, None, "127.0.0.1"),
    ]
    assert all(abs(line["at"] - service.clock.now()) < timedelta(minutes=1) for line in lines)


async def test_without_a_secret_no_notice_is_taken(service_of: ServiceOf) -> None:
    closed = service_of()
    async with client_of(closed, key=None) as stranger:
        refused = await notify(stranger, closed, "n1", reference="x")
    assert (refused.status_code, refused.json()["code"]) == (404, "no_such_route")
