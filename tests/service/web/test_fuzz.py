"""Whatever is sent, the answer is one that was meant: no 500, and every refusal a problem document."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bakong_service.resources.problem_codes import PROBLEM_CODES
from bakong_service.web.http.service import Service
from bakong_service.web.routes import ROUTES
from kit.service import ServiceOf

pytestmark = [pytest.mark.anyio, pytest.mark.uncounted]

# The clock stays where it is: what it moves is nobody's to guess.
FUZZED = [route for route in ROUTES if route.path.startswith("/v1/") and not route.test_only]

texts = st.one_of(
    st.text(max_size=80),
    st.sampled_from(["PREMIUM", "USD", "KHR", "2.50", "1e5", "NaN", "9" * 30, "pay_x", "2026-01-01T00:00:00Z"]),
    st.sampled_from(["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+00:00", "-1", "0", "100", "open", "accept"]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, str], bytes | None]:
    """A request to one of the routes: known and unknown members, of any type."""
    route = draw(st.sampled_from(FUZZED))
    path = route.path
    for place in ("reference", "user_id", "key_id"):
        path = path.replace(f"{{{place}}}", draw(st.sampled_from(["x", "a b", "%F0%9F%98%80", "..", "main"])))
    names = [field.name for shape in (route.body, route.query) if shape for field in shape.__attrs_attrs__]
    name = st.sampled_from([*names, "limit", "starting_after", "ending_before", "wait", "other"])
    query = draw(st.dictionaries(name.filter(lambda each: each != "wait"), texts, max_size=3))
    body = None
    if route.method != "GET":
        body = json.dumps(draw(st.dictionaries(name, values, max_size=6))).encode()
    return route.method, path, query, body


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    """A service that doesn't tire of it."""
    made: Service = service_of(RATE_LIMIT="1000000/second")
    return made


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=requests())
async def test_no_request_meets_a_failure_of_ours(client: httpx.AsyncClient, sent: Any) -> None:
    method, path, query, body = sent
    headers = {} if body is None else {"Content-Type": "application/json"}
    response = await client.request(method, path, params=query, content=body, headers=headers)
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert problem["code"] in PROBLEM_CODES or problem["status"] == 422
        assert problem["detail"]
