"""Nothing that is sent breaks the simulator: every call gets an answer, and a paid code stays paid."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bakong_khqr.testing import BakongSimulator, FaultKind, SimulatorRequest, SimulatorResponse
from bakong_khqr.testing.actions import ACTIONS
from bakong_khqr.testing.endpoints import ENDPOINTS

Ask = Callable[..., SimulatorResponse]

HEADERS = {"authorization": "Bearer simulator"}
MEMBERS = [
    "md5",
    "hash",
    "amount",
    "currency",
    "instructionRef",
    "externalRef",
    "qr",
    "sourceInfo",
    "appName",
    "appIconUrl",
    "appDeepLinkCallback",
    "accountId",
    "email",
    "organization",
    "project",
    "code",
    "kind",
    "times",
    "seconds",
    "status",
    "body",
    "key",
    "to_account_id",
    "created_at_ms",
    "now_ms",
    "offset_seconds",
    "advance_seconds",
    "visible_after_seconds",
    "daily_quota",
    "geo_block",
    "account_id",
    "exists",
    "lifetime_seconds",
    "switches",
    "steps",
    "pay",
    "after_seconds",
    "size_bytes",
    "retry_after_seconds",
]

texts = st.text(max_size=40) | st.sampled_from(["USD", "sNaN", "1e-999", "0" * 32, "a@b", "slow", "\ud800", "answer"])
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS) | texts, inner, max_size=6),
    max_leaves=12,
)
bodies = values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
# A scenario or a reset could end the very payment this test looks for at the end.
names = [f"/v1/{name}" for name in ENDPOINTS] + [f"/_simulator/{name}" for name in ACTIONS if name != "reset"]
calls = st.lists(st.tuples(st.sampled_from([*names, "/_simulator/scenario"]), bodies), max_size=8)


@settings(
    max_examples=int(os.environ.get("SIMULATOR_FUZZ_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(calls=calls)
def test_every_call_is_answered_and_a_paid_code_stays_paid(payload: str, calls: Any) -> None:
    bakong = BakongSimulator()
    payment = bakong.pay(payload)
    for path, body in calls:
        response = bakong.handle(SimulatorRequest(method="POST", path=path, headers=HEADERS, body=body))
        assert 200 <= response.status < 600
        if response.content_type == "application/json" and response.status != 200:
            assert response.json()
    bakong.faults.clear()
    bakong.item_statuses.clear()
    bakong.configure(geo_block=False, daily_quota=None, static_qr="tracked", legacy_registration=True)
    bakong.configure(user_agent_required=False, visible_after_seconds=0, md5_list_closed=False)
    bakong.clock.offset *= 0
    request = SimulatorRequest(
        method="POST",
        path="/v1/check_transaction_by_hash",
        headers=HEADERS,
        body=b'{"hash": "%s"}' % payment.hash.encode(),
    )
    assert bakong.handle(request).json()["data"]["hash"] == payment.hash


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_kind_of_fault_answers_every_endpoint(kind: str) -> None:
    bakong = BakongSimulator()
    for name in ENDPOINTS:
        bakong.inject(kind, size_bytes=1000)
        response = bakong.handle(SimulatorRequest(method="POST", path=f"/v1/{name}", headers=HEADERS, body=b"{}"))
        assert 200 <= response.status < 600
        assert bakong.faults.waiting() == []


@pytest.mark.parametrize("action", ["switches", "pay", "clock", "scenario"])
def test_deep_nesting_is_refused_like_anything_else(ask: Ask, action: str) -> None:
    for depth in (50, 500, 900, 960, 990, 100_000):
        body = b'{"geo_block": ' + b"[" * depth + b"]" * depth + b"}"
        assert ask(f"/_simulator/{action}", body).status == 400


def test_half_a_character_is_echoed_as_it_was_escaped(ask: Ask) -> None:
    answer = ask("check_transaction_by_md5_list", b'["\\ud800"]')
    assert answer.json()["data"][0]["md5"] == "\ud800"
