"""The pages for people are whole, in the order in which a reader works, and load nothing."""

import ast
import re
import shlex

import httpx
import pytest

from bakong_service.resources.problem_codes import PROBLEM_CODES
from bakong_service.web.http import call_samples
from bakong_service.web.http.openapi import examples, operation_id
from bakong_service.web.routes import ROUTES

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def test_the_page_has_every_operation_every_code_and_how_to_send_a_key(stranger: httpx.AsyncClient) -> None:
    text = (await stranger.get("/docs")).text
    for route in ROUTES:
        assert f'<article id="{operation_id(route)}">' in text
    for code in PROBLEM_CODES:
        assert f'id="problem-{code}"' in text
    assert "Authorization: Bearer" in text
    headings = re.findall(r'<h2 id="(\w+)"', text)
    assert headings[:3] == ["key", "payments", "links"]
    assert text.index('id="post_v1_payments"') < text.index('id="get_v1_payments"')
    assert "An answer: 201" in text
    assert "&lt;code&gt;" not in text  # tags of ours are tags, and only others' are text


async def test_a_sample_has_every_parameter_that_its_operation_needs(stranger: httpx.AsyncClient) -> None:
    document, text = (await stranger.get("/openapi.json")).json(), (await stranger.get("/docs")).text
    needed = [
        (operation["operationId"], parameter["name"])
        for methods in document["paths"].values()
        for operation in methods.values()
        for parameter in operation["parameters"]
        if parameter["in"] == "query" and parameter["required"]
    ]
    assert ("get_v1_reports_takings", "until") in needed
    for operation, name in needed:
        [article] = re.findall(f'<article id="{operation}">.*?</article>', text, re.DOTALL)
        assert len(re.findall(rf"[?;]{name}=", article)) == 3, (operation, name)  # in each of three languages


def test_the_example_of_a_refund_answers_its_own_request() -> None:
    refund = examples()["post_v1_payments_reference_refund"]
    assert refund["200"]["value"]["returned"] == refund["request"]["amount"]


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_a_page_has_no_script_and_loads_nothing(stranger: httpx.AsyncClient, path: str) -> None:
    answer = await stranger.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert re.search(r"<script|<link|<img|<iframe|@import|url\(", answer.text) is None
    assert [
        link for link in re.findall(r'(?:href|src)="([^"]*)"', answer.text) if not link.startswith(("/", "#"))
    ] == []


async def test_the_first_page_says_what_this_is_and_where_to_read_on(stranger: httpx.AsyncClient) -> None:
    text = (await stranger.get("/")).text
    assert "payments and subscriptions" in text
    assert 'href="/docs"' in text


def test_the_samples_are_what_their_language_reads() -> None:
    body = {"amount": "2.50", "description": 'it\'s "true"', "preview": True, "reason": None}
    told = {"needs_key": True, "keyed": True}
    words = shlex.split(call_samples.curl("POST", "/v1/payments/{reference}/refund", body, **told))
    assert words[:4] == ["curl", "-X", "POST", "http://127.0.0.1:3002/v1/payments/REFERENCE/refund"]
    assert ast.literal_eval(words[-1].replace("true,", "True,").replace("null", "None")) == body
    tree = ast.parse(call_samples.python("POST", "/v1/payments", body, **told))
    [given] = [each for each in ast.walk(tree) if isinstance(each, ast.keyword) and each.arg == "json"]
    assert ast.literal_eval(given.value) == body
    assert "method" not in call_samples.typescript("GET", "/health/live", None, needs_key=False, keyed=False)
