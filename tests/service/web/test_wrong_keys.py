"""Wrong keys: ten of an address in five minutes are judged and on record, more are refused, and a good key never is."""

import ast
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

import bakong_service
from bakong_service import webhooks
from bakong_service.domain.scope import SCOPES
from bakong_service.operations import keys
from bakong_service.operations.keys import NewKey
from bakong_service.settings import Settings
from bakong_service.storage.schema import audit_log
from bakong_service.web.http.gate import client_ip
from bakong_service.web.http.limiter import Limiter
from bakong_service.web.http.limits import WRONG_KEYS
from bakong_service.web.http.service import Service
from kit.redis import Redis
from kit.service import ENVIRONMENT, ServiceOf, client_of
from kit.there import there

pytestmark = pytest.mark.anyio

SECRET = "the-secret-of-notices-0123456789abcdef"
MINUTES_5, MOST = 300.0, 10
# Two hosts of one IPv6 network are one caller, and so are an IPv4 address and its form in IPv6.
CALLERS = {
    "203.0.113.1": "a", "::ffff:203.0.113.1": "a", "203.0.113.2": "b", "2001:db8:0:1::1": "c", "2001:db8:0:1::2": "c",
}  # fmt: skip
STEPS = st.sampled_from([0.0, 0.0, 0.0, 1.0, 31.0, 120.0, 299.0, 301.0])


def most_within(moments: list[float]) -> int:
    """The most of these moments that five minutes ever have."""
    return max((sum(start <= each < start + MINUTES_5 for each in moments) for start in moments), default=0)


@settings(max_examples=100, deadline=None)
@given(begins=st.floats(0, MINUTES_5), steps=st.lists(STEPS, min_size=1, max_size=60))
@example(begins=299.0, steps=[0.0] * 9 + [31.0] * 12)
async def test_no_five_minutes_have_more_than_ten_and_nobody_waits_longer_than_told(
    begins: float, steps: list[float]
) -> None:
    now, judged = begins, list[float]()
    limiter = Limiter(now=lambda: now)
    for step in steps:
        now += step
        allowance = await limiter.take(WRONG_KEYS, "address", strict=True)
        if allowance.granted:
            judged.append(now)
        else:
            assert sum(each > now - 2 * MINUTES_5 for each in judged) >= MOST
            assert allowance.reset_seconds <= 2 * MINUTES_5
            now += allowance.reset_seconds
            assert (await limiter.take(WRONG_KEYS, "address", strict=True)).granted
            judged.append(now)
    assert most_within(judged) <= MOST


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    """A service behind a proxy that names the callers; it takes notices."""
    return service_of(NOTIFY_SECRET=SECRET, TRUSTED_PROXIES="127.0.0.1", RATE_LIMIT="off")


async def security_events(service: Service) -> list[Any]:
    query = select(audit_log).where(audit_log.c.level == "SECURITY").order_by(audit_log.c.id)
    return await service.executor.read(lambda connection: list(connection.execute(query).mappings()))


async def tried(caller: httpx.AsyncClient, address: str, kind: str) -> httpx.Response:
    """One wrong key, or one notice with a wrong signature."""
    told = {"X-Forwarded-For": address}
    if kind == "key":
        return await caller.get("/v1/payments/x", headers=told | {"Authorization": "Bearer wrong"})
    signed = webhooks.sign("n1", b"{}", ["x" * 40], at=datetime.now(UTC)) | {
        "Content-Type": "application/json",
        "Authorization": "",
    }
    return await caller.post("/v1/notify/bakong", content=b"{}", headers=signed | told)


TRIES = st.tuples(st.sampled_from(sorted(CALLERS)), st.sampled_from(["key", "notice"]), STEPS)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tries=st.lists(TRIES, min_size=25, max_size=40))
@example(tries=[("203.0.113.1", "key", 299.0), *[("203.0.113.1", "notice", 0.0)] * 9, ("203.0.113.1", "key", 31.0)])
async def test_ten_wrong_keys_in_five_minutes_close_the_door_to_wrong_keys_of_that_caller_alone(
    service: Service, tries: list[tuple[str, str, float]]
) -> None:
    now = 0.0
    limited = evolve(service, limiter=Limiter(now=lambda: now))
    before = len(await security_events(service))
    judged: dict[str, list[float]] = defaultdict(list)
    async with client_of(limited) as client:
        for address, kind, step in tries:
            now += step
            mine = judged[CALLERS[address]]
            refused = await tried(client, address, kind)
            if refused.status_code == 401:
                mine.append(now)
            else:
                assert (refused.status_code, refused.json()["code"]) == (429, "address_blocked")
                assert sum(each > now - 2 * MINUTES_5 for each in mine) >= MOST
                assert 0 < int(refused.headers["retry-after"]) <= 2 * MINUTES_5
        for address in CALLERS:
            good = await client.get("/v1/payments", headers={"X-Forwarded-For": address})
            assert good.status_code == 200
    assert all(most_within(moments) <= MOST for moments in judged.values())
    # each that was judged is on record, and none that wasn't: so a stranger can't fill the audit log
    assert len(await security_events(service)) - before == sum(map(len, judged.values()))


async def test_replicas_count_wrong_keys_together(service: Service, redis_server: Redis) -> None:
    replicas = [evolve(service, limiter=Limiter(redis_server.url)) for _ in range(2)]
    answers = []
    async with client_of(replicas[0]) as one, client_of(replicas[1]) as other:
        for _ in range(10):
            answers += [(await tried(each, "203.0.113.1", "key")).status_code for each in (one, other)]
    assert answers == [401] * 10 + [429] * 10
    assert len(await security_events(service)) == 10
    for replica in replicas:
        await replica.limiter.close()


async def test_redis_counts_the_ten_of_the_five_minutes_before_whole(redis_server: Redis) -> None:
    """A share of them, as of other rates, would let an eleventh wrong key be judged half a minute later."""
    limiter = Limiter(redis_server.url)
    with redis.Redis.from_url(redis_server.url.reveal()) as peek:
        await limiter.take(WRONG_KEYS, "wrong-keys", "a", strict=True)
        (name,) = peek.keys("*wrong-keys*")
        index = int(peek.hget(name, "index") or 0)
        peek.hset(name, mapping={"index": index - 1, "count:another": MOST})
    allowance = await limiter.take(WRONG_KEYS, "wrong-keys", "a", strict=True)
    assert (allowance.granted, limiter.is_shared) == (False, True)
    await limiter.close()


async def test_no_part_of_a_secret_names_a_counter_and_no_wrong_key_is_remembered(service: Service) -> None:
    new = NewKey(name="till", scopes=frozenset({"payments:read"}), is_test=True)
    text = there((await service.run("operator:test", lambda work: keys.create(work, new))).key)
    main = there(service.settings.main_backend_api_key).reveal()
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    limited = evolve(service, settings=Settings.from_environment(ENVIRONMENT))
    for key in (text, main, wrong, "guessed-by-a-stranger"):
        async with client_of(limited, key) as caller:
            await caller.get("/v1/payments")
    names = " ".join(limited.limiter._here)
    assert len(limited.limiter._here) == 3  # of the two good keys, and of the address
    secrets = [text[-51:], main, "guessed-by-a-stranger"]
    pieces = {secret[at : at + 8] for secret in secrets for at in range(len(secret) - 7)}
    assert [piece for piece in pieces if piece in names] == []
    assert len(limited.proven._hashes) == 1  # the key in the database that was good


LINES = st.lists(st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=40), max_size=4)


@given(peer=st.ip_addresses().map(str), lines=LINES, addresses=st.lists(st.ip_addresses().map(str), max_size=4))
def test_nothing_that_an_unknown_peer_forwards_changes_its_address(
    peer: str, lines: list[str], addresses: list[str]
) -> None:
    assert client_ip(peer, [*lines, ", ".join(addresses)], ()) == peer


# What is a security event: over HTTP each has the address that it came from, and at the command line the operator.
OVER_HTTP = {"authentication.failed", "key.created", "key.rotated", "key.revoked"}
AT_THE_COMMAND_LINE = {"vault.resealed", "audit.pruned", "database.recovered", "money.found_without_payment"}


async def test_every_security_event_over_http_has_its_kind_its_address_its_actor_and_its_time(service: Service) -> None:
    told = {"X-Forwarded-For": "203.0.113.1"}
    async with client_of(service) as client:
        new = {"name": "till", "scopes": [SCOPES[0]]}
        first = (await client.post("/v1/keys", json=new, headers=told)).json()["key_id"]
        keyed = told | {"Idempotency-Key": "k1"}
        second = (await client.post(f"/v1/keys/{first}/rotate", headers=keyed)).json()["key_id"]
        await client.post(f"/v1/keys/{first}/revoke", headers=told)
        await tried(client, "203.0.113.1", "key")
        await tried(client, "203.0.113.1", "notice")
    events = await security_events(service)
    assert Counter((event["action"], event["subject"], event["actor"]) for event in events) == {
        ("key.created", first, "api:main"): 1,
        ("key.created", second, "api:main"): 1,
        ("key.rotated", first, "api:main"): 1,
        ("key.revoked", first, "api:main"): 1,
        ("authentication.failed", None, "anonymous"): 2,
    }
    assert {event["action"] for event in events} == OVER_HTTP
    assert {event["ip"] for event in events} == {"203.0.113.1"}
    assert all(abs(event["at"] - service.clock.now()) < timedelta(minutes=1) for event in events)
    refused = {event["details"]["path"] for event in events if event["action"] == "authentication.failed"}
    assert refused == {"/v1/payments/x", "/v1/notify/bakong"}


def test_no_security_event_is_missing_from_these_tests() -> None:
    root = Path(bakong_service.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and any(
                each.arg == "level" and ast.unparse(each.value) == "audit.SECURITY" for each in node.keywords
            ):
                action = node.args[0]
                if isinstance(action, ast.Name):
                    name = ".".join(("bakong_service", *path.relative_to(root).with_suffix("").parts))
                    found.add(getattr(import_module(name), action.id))
                else:
                    found.add(ast.literal_eval(action))
    assert found == OVER_HTTP | AT_THE_COMMAND_LINE
