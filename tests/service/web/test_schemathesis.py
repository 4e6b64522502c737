"""Schemathesis uses the service by its document, in chains of requests: what it meets is what is described.

Streams are left out, because they have no end. Each case comes from an address of its own, so that the block that ten
wrong keys earn an address doesn't turn the rest of the run away. CI runs 500 cases, `nox -s schemathesis` 10,000.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import hypothesis
import pytest

from bakong_service.cli.stage import Stage

schemathesis: Any = pytest.importorskip("schemathesis")

STEPS = 20
CASES = int(os.environ.get("SCHEMATHESIS_CASES", "500"))
STREAM = "/v1/payments/{reference}/events"
FIRST_ADDRESS = IPv4Address("11.0.0.0")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def sold(stage: Stage, url: str) -> dict[str, str]:
    """Sell a subscription through the simulator. Return what exists then, by the beginning of its paths."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {stage.api_key}"}, trust_env=False) as client:

        def ask(method: str, path: str, body: Any = None) -> Any:
            answer = client.request(method, path, json=body)
            assert answer.is_success, answer.text
            return answer.json()

        payment = ask("POST", "/v1/payments", {"user_id": "u1", "plan": "PREMIUM", "metadata": {"order": "7"}})
        ask("POST", "/v1/test/pay", {"reference": payment["reference"]})
        ask("POST", payment["links"]["check"])
        paid = ask("GET", f"{payment['links']['self']}?wait=25")
        key = ask("POST", "/v1/keys", {"name": "another", "scopes": ["payments:read"]})
        return {
            "/v1/payments/": paid["reference"],
            "/v1/subscriptions/": paid["subscription"],
            "/v1/users/": "u1",
            "/v1/endpoints/": ask("GET", "/v1/endpoints")["data"][0]["reference"],
            "/v1/keys/": key["key_id"],
            "/v1/plans/": "PREMIUM",
        }


def machine(stage: Stage, url: str, answers: Counter[int], failed: list[str], existing: dict[str, str]) -> Any:
    """Return the state machine of the document, with the key and an address for each case.

    It puts into `answers` how often it met each status, and into `failed` what the checks didn't pass.
    """
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json").exclude(path=STREAM)
    key = {"Authorization": f"Bearer {stage.api_key}"}

    class Caller(schema.as_state_machine()):  # type: ignore[misc]  # a class that is made from the document
        def before_call(self, case: Any) -> None:
            begins = next((each for each in existing if case.path.startswith(each) and case.path_parameters), None)
            is_made_up = case.meta is None or case.meta.generation.mode.is_positive
            if begins is not None and is_made_up and answers.total() % 2:
                # What Schemathesis makes up doesn't exist, so every other well-formed case asks for what does.
                case.path_parameters = dict.fromkeys(case.path_parameters, existing[begins])
            if case.path_parameters and case.path_parameters.get("key_id") == "main":
                case.path_parameters["key_id"] = "another"  # whoever ends the caller's own key ends the test
            if case.query and str(case.query.get("wait", "")).isdigit():
                case.query["wait"] = 0  # waiting for news finds nothing here

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            address = str(FIRST_ADDRESS + answers.total())
            return {"headers": key | {"X-Forwarded-For": address}, "timeout": 60}

        def after_call(self, response: Any, case: Any) -> None:
            answers[response.status_code] += 1

        def validate_response(self, response: Any, case: Any, additional_checks: Any = None, **kwargs: Any) -> None:
            left_out = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]
            sent = dict(parse_qsl(urlsplit(response.request.url).query, keep_blank_values=True))
            if set(case.query or ()) - sent.keys():
                # A wrong parameter whose value is an empty list isn't sent at all, so nothing could be refused.
                left_out.append(schemathesis.checks.CHECKS.get_one("negative_data_rejection"))
            try:
                case.validate_response(
                    response,
                    additional_checks=additional_checks,
                    excluded_checks=left_out,
                    transport_kwargs=kwargs,
                    recorder=getattr(self, "recorder", None),  # what checks of several requests look up
                )
            except BaseExceptionGroup as failures:
                failed.append(f"{case.method} {case.path}: {failures!r}")
                raise

    return Caller


@pytest.mark.uncounted
@pytest.mark.filterwarnings("default")  # those of the libraries that Schemathesis uses
@pytest.mark.timeout(1800)
def test_what_schemathesis_meets_is_what_the_document_says(stage: Stage, database_url: str) -> None:
    stage.start_simulator()
    service = stage.start_service(
        DATABASE_URL=database_url, TRUSTED_PROXIES="127.0.0.1", RATE_LIMIT="1000000/second", LOG_LEVEL="ERROR"
    )
    answers: Counter[int] = Counter()
    failed: list[str] = []
    caller = machine(stage, service.url, answers, failed, sold(stage, service.url))
    runs = 0
    while answers.total() < CASES:
        runs += 1
        settings = hypothesis.settings(
            max_examples=max(1, (CASES - answers.total()) // STEPS),
            stateful_step_count=STEPS,
            phases=[hypothesis.Phase.generate],  # the service remembers, so nothing can be tried again as it was
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        # The same requests may have other answers than before, because the service remembers: go on with new ones.
        with suppress(hypothesis.errors.FlakyStrategyDefinition):
            caller.run(settings=settings)
        assert not failed
        assert runs < 50, "the machine does nothing"
    print(f"{answers.total()} cases, {answers[429]} answers of 429: {dict(sorted(answers.items()))}")
    assert answers[429] < answers.total() / 100
    assert answers[200] > answers.total() / 20
