"""What goes to the driver as it is does the same as what goes through SQLAlchemy."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, Table, bindparam, func, insert, literal, select
from sqlalchemy.exc import IntegrityError

from bakong_service.storage.engine import signals
from bakong_service.storage.engine.executor import Executor, connect
from bakong_service.storage.engine.inserting import insert_row
from bakong_service.storage.engine.prepared import Prepared, prepared
from bakong_service.storage.engine.together import together
from bakong_service.storage.schema import audit_log, payments, plans
from kit.patience import hears

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
PAYMENT: dict[str, Any] = {
    "id": 1, "reference": "pay_1", "bill_number": "1", "md5": "m", "user_id": None, "purpose": "one_off",
    "description": "កាហ្វេ", "metadata": {"order": "7", "note": "é\n"}, "amount": 2**62, "currency": "USD",
    "to_account": "shop@bank", "qr_enc": b"\x00\xff", "status": "pending", "flags": frozenset({"late", "duplicate"}),
    "version": 1, "created_at": NOW, "qr_expires_at": NOW + timedelta(microseconds=1), "deadline_at": NOW,
    "watch_until": NOW, "next_check_at": None,
}  # fmt: skip
PLAN: dict[str, Any] = {
    "id": 7, "code": "gold", "version": 1, "name": "Plan", "price_minor": 50, "currency": "USD", "cadence": "PT1S",
    "created_at": NOW,
}  # fmt: skip
WANTED = select(payments).where(payments.c.reference == bindparam("wanted"), literal(7) == 7).limit(1)
OWN_PROCESS = select(func.pg_backend_pid())


def row(table: Table, values: dict[str, Any]) -> Callable[[Connection], None]:
    return lambda connection: insert_row(connection, table, values)


async def test_a_row_is_written_and_read_as_sqlalchemy_does_it(executor: Executor) -> None:
    await executor.run(row(payments, PAYMENT))
    other = PAYMENT | {"id": 2, "reference": "pay_2", "bill_number": "2", "md5": "n"}
    await executor.run(lambda c: c.execute(insert(payments).inline(), other) and None)

    def both(connection: Connection, reference: str) -> tuple[list[Any] | None, list[Any]]:
        found = prepared(connection.dialect, WANTED).first(connection, {"wanted": reference})
        return found, list(connection.execute(WANTED, {"wanted": reference}).one())

    stored = []
    for reference in ("pay_1", "pay_2"):
        ours, sqlalchemys = await executor.read(partial(both, reference=reference))
        assert ours == sqlalchemys
        stored.append(sqlalchemys[4:])  # without the four identifiers
    assert stored[0] == stored[1]
    assert await executor.read(lambda c: prepared(c.dialect, WANTED).first(c, {"wanted": "pay_3"})) is None


async def test_a_value_that_is_left_out_is_an_error_and_not_null(executor: Executor) -> None:
    with pytest.raises(KeyError, match="wanted"):
        await executor.read(lambda c: prepared(c.dialect, WANTED).first(c, {}))


async def test_a_refusal_of_the_database_is_sqlalchemys_error(executor: Executor) -> None:
    await executor.run(row(plans, PLAN))
    with pytest.raises(IntegrityError):
        await executor.run(row(plans, PLAN | {"id": 8}))  # the same code and version
    numbers = iter([7, 7, 9])
    again = PLAN | {"code": "silver"}
    await executor.run(lambda c: row(plans, again | {"id": next(numbers)})(c))  # equal identifiers are made again
    found = await executor.read(lambda c: list(c.execute(select(plans.c.id).order_by(plans.c.id)).scalars()))
    assert found == [7, 9]


async def test_rows_that_are_written_together_are_one_statement_on_postgresql(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hears(executor, signals.EVENTS)
    heard: asyncio.Queue[str] = asyncio.Queue()
    stop = executor.listen(signals.EVENTS, heard.put_nowait)
    sent: list[str] = []
    run = Prepared.run

    def counted(self: Prepared, connection: Connection, given: tuple[Any, ...]) -> Any:
        sent.append(self.statement)
        return run(self, connection, given)

    monkeypatch.setattr(Prepared, "run", counted)

    def write(connection: Connection) -> None:
        with together(connection):
            insert_row(connection, plans, PLAN)
            insert_row(connection, plans, PLAN | {"id": 8, "code": "silver"})
            signals.signal(connection, signals.EVENTS, "written")
            insert_row(connection, audit_log, {"id": 1, "level": "INFO", "action": "a", "actor": "b", "at": NOW})
        insert_row(connection, plans, PLAN | {"id": 9, "code": "bronze"})

    await executor.run(write)
    assert len(sent) == (3 if executor.dialect == "postgresql" else 4)
    assert await asyncio.wait_for(heard.get(), 5) == "written"
    stop()
    query = select(plans.c.id, plans.c.code, plans.c.created_at).order_by(plans.c.id)
    found = await executor.read(lambda c: [tuple(each) for each in c.execute(query)])
    assert found == [(7, "gold", NOW), (8, "silver", NOW), (9, "bronze", NOW)]
    assert await executor.read(lambda c: c.execute(select(audit_log.c.at)).scalar_one()) == NOW


async def test_what_fails_within_together_leaves_nothing_for_the_next_transaction(executor: Executor) -> None:
    def failing(connection: Connection) -> None:
        with together(connection):
            insert_row(connection, plans, PLAN)
            raise LookupError

    for _ in range(3):  # on the same connection of the pool
        with pytest.raises(LookupError):
            await executor.run(failing)
    await executor.run(row(plans, PLAN | {"id": 8}))
    assert await executor.read(lambda c: c.execute(select(plans.c.id)).scalar_one()) == 8


async def test_a_broken_link_is_discarded_and_the_read_is_tried_again(postgresql_url: str) -> None:
    executor = connect(postgresql_url)
    await executor.start()

    async def process() -> int:
        found = await executor.read(lambda c: prepared(c.dialect, OWN_PROCESS).first(c, {}))
        assert found is not None
        return int(found[0])

    first = await process()
    assert await process() == first  # the pool gives the same link again
    killer = await asyncpg.connect(postgresql_url)
    await killer.execute("SELECT pg_terminate_backend($1)", first)
    await killer.close()
    assert await process() != first
    await executor.close()
