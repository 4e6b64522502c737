"""What is planted is heard: the listener of the whole run would find a secret wherever the service wrote it."""

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog

from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.engine.executor import Executor
from bakong_service.web.http.service import Service

pytestmark = pytest.mark.anyio


@pytest.fixture
def leaks() -> Iterator[list[str]]:
    """The leaks that the listener hears in this test. They are forgotten after it."""
    (listener,) = [handler for handler in logging.getLogger().handlers if hasattr(handler, "leaks")]
    before = len(listener.leaks)
    heard: list[str] = []
    yield heard
    heard += listener.leaks[before:]
    del listener.leaks[before:]
    assert heard, "the planted secret wasn't heard"


def test_a_secret_in_a_traceback_of_a_library_is_heard(leaks: list[str]) -> None:
    try:
        raise ValueError("a planted token")
    except ValueError:
        logging.getLogger("some.library").exception("failed")


def test_a_secret_in_a_traceback_of_the_service_is_heard(leaks: list[str]) -> None:
    try:
        raise ValueError("a planted token")
    except ValueError:
        structlog.get_logger("bakong_service").exception("failed")


def test_a_secret_in_an_event_of_the_service_is_heard(leaks: list[str]) -> None:
    structlog.get_logger("bakong_service").info("failed", found="a planted token")


async def test_a_secret_in_an_answer_is_heard(leaks: list[str], client: httpx.AsyncClient) -> None:
    body = {"amount": "1", "currency": "USD", "description": "a planted token"}
    assert (await client.post("/v1/payments", json=body)).status_code == 201


async def test_a_secret_in_the_metrics_is_heard(leaks: list[str], client: httpx.AsyncClient, service: Service) -> None:
    service.metrics.count("planted", "A planted token", {})
    assert (await client.get("/metrics")).status_code == 200


class TestTheAuditLog:
    @pytest.fixture
    def database_url(self, leaks: list[str], sqlite_url: str) -> str:
        """The listener reads the audit log when the database is closed, before `leaks` looks."""
        return sqlite_url

    async def test_a_secret_in_the_audit_log_is_heard(self, executor: Executor, service: Service) -> None:
        def write(work: UnitOfWork) -> Any:
            return work.audit("test", details={"found": "a planted token"})

        await service.run("user", write)
