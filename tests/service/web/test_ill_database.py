"""A database that is ill is a 503 with `Retry-After`, and never a 500; when it is well again, so are we."""

import sqlite3
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import event, make_url

from bakong_service.app import timekeeper, workers
from bakong_service.storage.engine.executor import Executor
from bakong_service.storage.engine.postgresql import PostgresqlExecutor
from bakong_service.storage.engine.sqlite import SqliteExecutor
from bakong_service.storage.engine.sqlite_results import TROUBLES
from bakong_service.web.http.service import Service
from bakong_service.web.operating import readiness

pytestmark = pytest.mark.anyio

# One of each treatment; `storage/test_sqlstates.py` has them all.
SQLSTATES = ("25006", "40001", "40003", "42501", "53100", "53300", "55P03", "57014", "57P01", "08006", "XX000")
COFFEE = {"amount": "2.50", "currency": "USD"}
ROUTES: list[tuple[str, str, dict[str, Any] | None, dict[str, str]]] = [
    ("POST", "/v1/payments", COFFEE, {}),
    ("POST", "/v1/payments", COFFEE, {"Idempotency-Key": "order-42"}),
    ("GET", "/v1/payments/{reference}", None, {}),
    ("POST", "/v1/payments/{reference}/cancel", {}, {}),
    ("POST", "/v1/payments/{reference}/check", {}, {}),
    ("GET", "/v1/payments", None, {}),
    ("POST", "/v1/subscriptions/sub_x/cancel", {}, {}),
    ("GET", "/v1/users/u/subscription", None, {}),
    ("GET", "/health/ready", None, {}),
]
IDS = [f"{method} {path}{' with a key' if headers else ''}" for method, path, _, headers in ROUTES]


class Illness:
    """Makes the database answer every statement with an error of its own, until it is well."""

    def __init__(self, executor: Executor) -> None:
        self.code: Any = None
        if isinstance(executor, PostgresqlExecutor):
            event.listen(executor._engine.sync_engine, "before_cursor_execute", self.on_postgresql, retval=True)
        else:
            assert isinstance(executor, SqliteExecutor)
            for engine in (executor._writer, executor._lists, executor._points._engine):
                event.listen(engine, "before_cursor_execute", self.on_sqlite)

    def on_postgresql(self, _c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        if self.code is None:
            return statement, parameters
        return f"DO $$ BEGIN RAISE EXCEPTION 'made to fail' USING ERRCODE = '{self.code}'; END $$", ()

    def on_sqlite(self, *_: Any) -> None:
        if self.code is not None:
            error = sqlite3.OperationalError("made to fail")
            error.sqlite_errorcode = self.code
            raise error


@pytest.fixture
def illness(executor: Executor) -> Illness:
    return Illness(executor)


@pytest.fixture(autouse=True)
def looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness is looked at for each request: these tests don't wait a second for it to change."""
    monkeypatch.setattr(readiness, "_FRESH_SECONDS", 0.0)


@pytest.mark.parametrize(("method", "path", "body", "headers"), ROUTES, ids=IDS)
async def test_every_trouble_of_the_database_is_a_503_that_says_when_to_come_back(
    client: httpx.AsyncClient, illness: Illness, executor: Executor,
    method: str, path: str, body: Any, headers: dict[str, str],
) -> None:  # fmt: skip
    made = (await client.post("/v1/payments", json=COFFEE)).json()["reference"]

    async def ask() -> httpx.Response:
        return await client.request(method, path.format(reference=made), json=body, headers=headers)

    for code in SQLSTATES if executor.dialect == "postgresql" else TROUBLES:
        illness.code = code
        response = await ask()
        assert (response.status_code, "made to fail" in response.text) == (503, False), (code, response.text)
        assert response.headers["retry-after"]
        if path != "/health/ready":
            assert response.json()["code"] == "database_unavailable"
    illness.code = None
    assert (await ask()).status_code in (200, 201, 202, 404)


@pytest.mark.postgres
class TestPostgresql:
    @pytest.fixture
    def database_url(self, postgresql_url: str) -> str:
        return postgresql_url

    async def test_after_a_failover_creates_readiness_and_workers_go_on_at_once(
        self, client: httpx.AsyncClient, service: Service, database_url: str
    ) -> None:
        name = make_url(database_url).database
        dispatch = next(loop for loop in workers(service, timekeeper(service)) if loop.name == "dispatch")
        link = await asyncpg.connect(database_url)
        try:
            await link.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            assert isinstance(service.executor, PostgresqlExecutor)
            await service.executor._engine.dispose()
            for _ in range(3):
                assert (await client.post("/v1/payments", json=COFFEE)).status_code == 503
                ready = await client.get("/health/ready")
                assert (ready.status_code, ready.json()["reasons"]) == (503, ["database_unavailable"])
                assert (await client.get("/v1/payments")).status_code == 200  # what can be read is
            await link.execute("SET default_transaction_read_only = off")
            await link.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        finally:
            await link.close()
        assert (await client.post("/v1/payments", json=COFFEE)).status_code == 201
        assert (await client.get("/health/ready")).status_code == 200
        await dispatch._step(service.clock.now())
        assert len((await client.get("/v1/events")).json()["data"]) == 1

    @pytest.mark.parametrize("table", ["payments", "idempotency_keys"])
    async def test_a_locked_table_is_a_503_and_not_a_twin_under_way(
        self, client: httpx.AsyncClient, database_url: str, table: str
    ) -> None:
        link = await asyncpg.connect(database_url)
        held = link.transaction()
        await held.start()
        await link.execute(f"LOCK TABLE {table}")
        headers = {"Idempotency-Key": "order-42"}
        refused = await client.post("/v1/payments", json=COFFEE, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        await held.rollback()
        await link.close()
        assert (await client.post("/v1/payments", json=COFFEE, headers=headers)).status_code == 201
