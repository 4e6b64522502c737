"""The link to PostgreSQL breaks, at every moment and in every way: nothing is done twice, nothing that was confirmed is
lost, what isn't known is told as unknown, and afterwards the service works as before."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from attrs import define, evolve, field
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from bakong_service.storage.engine import signals
from bakong_service.storage.engine.executor import DatabaseUnavailable, Operation
from bakong_service.storage.engine.inserting import insert_new
from bakong_service.storage.engine.postgresql import PostgresqlExecutor
from bakong_service.storage.engine.postgresql_link import Timeouts
from bakong_service.storage.schema import plans
from kit.link import Link

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MOMENTS = ("connect", "begin", "statement")
BEFORE = ("reset before", "silent before")
AFTER = ("reset after", "silent after", "garbage")


@define
class Work:
    """A row to be written once, under a code that is unique; and how often it was tried."""

    code: str = field(factory=lambda: uuid4().hex)
    attempts: int = 0

    def __call__(self, connection: Connection) -> str:
        self.attempts += 1
        if not insert_new(connection, plans, self._row(), key=("code", "version")):
            return "done before"
        return "done"

    def twice_if_twice(self, connection: Connection) -> str:
        """Write a row of its own each time: were it done twice, there would be two."""
        self.attempts += 1
        connection.execute(insert(plans).inline(), {**self._row(), "version": self.attempts})
        return "done"

    def committed(self, connection: Connection) -> str | None:
        return "found" if count(connection, self.code) else None

    def _row(self) -> dict[str, Any]:
        return {
            "id": uuid4().int >> 65, "code": self.code, "version": 1, "name": "Plan", "price_minor": 50,
            "currency": "USD", "cadence": "PT1S", "created_at": NOW,
        }  # fmt: skip


def count(connection: Connection, code: str) -> int:
    return connection.execute(select(func.count()).select_from(plans).where(plans.c.code == code)).scalar_one()


async def rows(executor: PostgresqlExecutor, work: Work) -> int:
    return await executor.read(lambda connection: count(connection, work.code))


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER, "late", "slow"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_before_the_commit_the_work_is_done_again_and_once(
    far: PostgresqlExecutor, link: Link, moment: str, fault: str
) -> None:
    work = Work()
    link.arm((moment, fault))
    assert await far.run(work.twice_if_twice) == "done"
    assert not link.armed
    assert await rows(far, work) == 1
    assert await far.run(Work()) == "done"


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER, "late"])
async def test_a_commit_without_an_answer_is_told_as_unknown_and_not_tried_again(
    far: PostgresqlExecutor, link: Link, fault: str
) -> None:
    work = Work()
    link.arm(("commit", fault))
    with pytest.raises(DatabaseUnavailable) as raised:
        await far.run(work.twice_if_twice)
    assert raised.value.outcome_unknown
    assert work.attempts == 1
    if fault == "late":
        async with asyncio.timeout(10):
            while not await rows(far, work):  # noqa: ASYNC110 - the server tells nobody of it
                await asyncio.sleep(0.01)
    assert await rows(far, work) == (fault not in BEFORE)
    assert await far.run(Work()) == "done"


@pytest.mark.parametrize("fault", AFTER)
async def test_a_commit_whose_answer_was_lost_is_found(far: PostgresqlExecutor, link: Link, fault: str) -> None:
    work = Work()
    link.arm(("commit", fault))
    assert await far.run(work, committed=work.committed) == "found"
    assert (work.attempts, await rows(far, work)) == (1, 1)


@pytest.mark.parametrize("fault", BEFORE)
async def test_a_commit_that_never_arrived_is_done_again(far: PostgresqlExecutor, link: Link, fault: str) -> None:
    work = Work()
    link.arm(("commit", fault))
    assert await far.run(work, committed=work.committed) == "done"
    assert (work.attempts, await rows(far, work)) == (2, 1)


async def test_a_commit_that_arrives_after_it_was_asked_for_is_not_joined_by_another(
    far: PostgresqlExecutor, link: Link
) -> None:
    work = Work()
    link.arm(("commit", "late"))
    assert await far.run(work, committed=work.committed) == "done before"
    assert (work.attempts, await rows(far, work)) == (2, 1)


@pytest.mark.parametrize("fault", [*BEFORE, "reset after", "garbage"])
async def test_a_question_after_a_lost_commit_that_is_lost_as_well_leaves_it_unknown(
    far: PostgresqlExecutor, link: Link, fault: str
) -> None:
    work = Work()
    link.arm(("commit", "reset after"), *[("connect", fault)] * 3)
    with pytest.raises(DatabaseUnavailable) as raised:
        await far.run(work, committed=work.committed)
    assert raised.value.outcome_unknown
    assert (work.attempts, link.armed) == (1, type(link.armed)())
    assert await far.run(work, committed=work.committed) == "done before"


async def test_a_question_that_is_refused_leaves_it_unknown(far: PostgresqlExecutor, link: Link) -> None:
    work = Work()
    link.arm(("commit", "reset after"))
    with pytest.raises(DatabaseUnavailable) as raised:
        await far.run(work, committed=lambda connection: connection.exec_driver_sql("SELECT no_such_column"))
    assert raised.value.outcome_unknown
    assert (work.attempts, await rows(far, work)) == (1, 1)


async def test_what_was_in_doubt_once_stays_unknown_when_the_next_attempt_fails(
    far: PostgresqlExecutor, link: Link
) -> None:
    work = Work()
    link.arm(("commit", "reset before"), *[("begin", "reset before")] * 2)
    with pytest.raises(DatabaseUnavailable) as raised:
        await far.run(work, committed=work.committed)
    assert raised.value.outcome_unknown
    assert await rows(far, work) == 0


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
async def test_a_rollback_whose_link_breaks_takes_everything_back(
    far: PostgresqlExecutor, link: Link, fault: str
) -> None:
    work = Work()

    def changes_its_mind(connection: Connection) -> None:
        work(connection)
        raise LookupError("no")

    link.arm(("rollback", fault))
    with pytest.raises(LookupError):
        await far.run(changes_its_mind)
    assert await rows(far, work) == 0


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER, "late", "slow"])
@pytest.mark.parametrize("moment", ["connect", "read"])
async def test_a_read_is_asked_again(far: PostgresqlExecutor, link: Link, moment: str, fault: str) -> None:
    link.arm((moment, fault))
    assert await far.read(lambda connection: connection.exec_driver_sql("SELECT 7").scalar_one()) == 7
    assert not link.armed


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "57P01", "08006", "53300"])
async def test_what_passes_is_tried_three_times_and_no_more(far: PostgresqlExecutor, sqlstate: str) -> None:
    async def attempts(failures: int) -> int:
        work = Work()

        def fails(connection: Connection) -> None:
            work.twice_if_twice(connection)
            if work.attempts <= failures:
                connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$")

        refused = None
        try:
            await far.run(fails)
        except DatabaseUnavailable as error:
            refused = error
        assert await rows(far, work) == (refused is None)
        assert refused is None or not refused.outcome_unknown
        return work.attempts

    assert [await attempts(failures) for failures in (0, 1, 2, 3)] == [1, 2, 3, 3]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT no_such_column", ProgrammingError),
        ("INSERT INTO plans (id) VALUES (1)", IntegrityError),  # what must be there isn't
        ("DO $$ BEGIN RAISE EXCEPTION 'no'; END $$", DBAPIError),
        ("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '57014'; END $$", DatabaseUnavailable),  # took too long
        (None, LookupError),
    ],
)
async def test_what_does_not_pass_is_tried_once_and_raised(
    far: PostgresqlExecutor, statement: str | None, error: type[Exception]
) -> None:
    work = Work()

    def fails(connection: Connection) -> None:
        work.twice_if_twice(connection)
        if statement is None:
            raise LookupError("no")
        connection.exec_driver_sql(statement)

    with pytest.raises(error):
        await far.run(fails)
    assert (work.attempts, await rows(far, work)) == (1, 0)


async def test_a_connection_that_the_server_ends_is_replaced(far: PostgresqlExecutor) -> None:
    work = Work()

    def is_ended_once(connection: Connection) -> None:
        work.twice_if_twice(connection)
        if work.attempts == 1:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    await far.run(is_ended_once)
    assert (work.attempts, await rows(far, work)) == (2, 1)


async def test_a_transaction_that_another_one_overtook_is_run_again(far: PostgresqlExecutor) -> None:
    work, attempts = Work(), []
    await far.run(work)
    changed = update(plans).where(plans.c.code == work.code).values(price_minor=plans.c.price_minor + 1)

    def changes(connection: Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert count(connection, work.code) == 1  # from here on it sees this moment's state
        attempts.append(1)
        while len(attempts) < 2:
            connection.exec_driver_sql("SELECT pg_sleep(0.01)")
        connection.execute(changed)

    await asyncio.gather(far.run(changes), far.run(changes))
    price = select(plans.c.price_minor).where(plans.c.code == work.code)
    assert await far.read(lambda connection: connection.execute(price).scalar_one()) == 52
    assert len(attempts) == 3


async def test_two_that_wait_for_each_other_are_both_done(far: PostgresqlExecutor, short: Timeouts) -> None:
    both = [Work(), Work()]
    await asyncio.gather(*(far.run(work) for work in both))
    tried = []

    def touch(first: Work, second: Work) -> Operation[None]:
        def run(connection: Connection) -> None:
            marked = update(plans).values(name=plans.c.name + "!")
            connection.execute(marked.where(plans.c.code == first.code))
            tried.append(1)
            while len(tried) < 2:
                connection.exec_driver_sql("SELECT pg_sleep(0.01)")
            connection.execute(marked.where(plans.c.code == second.code))

        return run

    patient = PostgresqlExecutor(far._url, evolve(short, statement=5.0, answer=5.0))  # a second until it is noticed
    try:
        await asyncio.gather(patient.run(touch(*both)), patient.run(touch(*reversed(both))))
    finally:
        await patient.close()
    assert len(tried) > 2  # one gave way, or both did
    names = select(plans.c.name).where(plans.c.code.in_([work.code for work in both]))
    assert await far.read(lambda connection: connection.execute(names).scalars().all()) == ["Plan!!"] * 2


async def test_a_connection_that_died_in_the_pool_is_replaced(far: PostgresqlExecutor, link: Link) -> None:
    await asyncio.gather(*(far.run(Work()) for _ in range(10)))
    for line in list(link.lines):
        line.reset()
    works = [Work() for _ in range(10)]
    assert set(await asyncio.gather(*(far.run(work.twice_if_twice) for work in works))) == {"done"}
    assert {await rows(far, work) for work in works} == {1}


async def test_a_black_hole_holds_nobody_for_long_and_when_it_ends_all_is_well(
    far: PostgresqlExecutor, link: Link
) -> None:
    works = [Work() for _ in range(30)]
    await asyncio.gather(*(far.run(Work()) for _ in range(10)))
    link.darken()
    begun = time.monotonic()
    results = await asyncio.gather(
        *(far.run(work) for work in works),
        *(far.read(lambda connection: connection.exec_driver_sql("SELECT 1")) for _ in range(5)),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, DatabaseUnavailable)]
    assert len(refused) == len(results)
    assert not any(each.outcome_unknown for each in refused)
    assert time.monotonic() - begun < 10
    link.dark = False
    assert set(await asyncio.gather(*(far.run(work) for work in works))) == {"done"}
    assert {await rows(far, work) for work in works} == {1}


async def test_closing_does_not_wait_for_a_dead_link(link: Link, short: Timeouts) -> None:
    executor = PostgresqlExecutor(link.url, short)
    await executor.start()
    await asyncio.gather(*(executor.run(Work()) for _ in range(10)))
    link.darken()
    begun = time.monotonic()
    await executor.close()
    assert time.monotonic() - begun < 5


async def test_a_server_that_never_answers_is_told_at_the_start(link: Link, short: Timeouts) -> None:
    link.darken()
    with pytest.raises(DatabaseUnavailable):
        await PostgresqlExecutor(link.url, short).start()


@pytest.mark.parametrize("how", ["reset", "silence"])
async def test_a_dead_listening_link_is_noticed_and_replaced_and_nobody_else_waits_for_it(
    far: PostgresqlExecutor, link: Link, how: str
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    far.listen(signals.PAYMENTS, heard.put_nowait)
    await far.start()

    async def told(name: str) -> None:
        while True:  # until it listens: a signal is a hint, not a promise
            await far.run(lambda connection: signals.signal(connection, signals.PAYMENTS, name))
            try:
                async with asyncio.timeout(0.1):
                    while await heard.get() != name:
                        continue
                return
            except TimeoutError:
                continue

    await told("before")
    for line in list(link.lines):
        line.reset() if how == "reset" else setattr(line, "dead", True)
    assert await far.run(Work()) == "done"
    async with asyncio.timeout(10):
        await told("after")
