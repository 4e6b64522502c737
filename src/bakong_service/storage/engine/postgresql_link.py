"""Connects to PostgreSQL, in the same way for the pool and for the connection that listens.

The limits of the session are set after connecting, because PgBouncer refuses them among the start parameters.
"""

import asyncpg
from attrs import frozen
from sqlalchemy import URL

from bakong_service.storage.engine.executor import UnfitDatabase

_ROUNDS = 3  # one round finds a pooler that nobody else uses; with other users more rounds are needed


@frozen(kw_only=True)
class Timeouts:
    """How many seconds each thing may take before the connection, or the transaction, is given up."""

    connect: float = 5.0  # unless DATABASE_URL has a connect_timeout
    place: float = 5.0  # until a connection of the pool is free
    statement: float = 5.0  # the server's own limit: it answers with an error
    idle: float = 10.0  # the server ends a transaction in which nothing happens for so long
    # No answer comes after this time. It is longer than `idle`: when a silent connection is given up, the server has
    # let go of the locks that the transaction held, and the next attempt doesn't run into them.
    answer: float = 12.0
    heartbeat: float = 15.0  # so often the connection that listens is tested


_PATIENT_SECONDS = (
    3600.0  # enough for a migration of millions of rows; not endless, because its connection may break too
)


class Way:
    """How to connect to a database."""

    def __init__(self, url: URL, timeouts: Timeouts) -> None:
        query = dict(url.query)
        own = query.pop("connect_timeout", None)
        self._connect_seconds = timeouts.connect if own is None else float(str(own))
        self._settings = {"timezone": "UTC"}
        if "application_name" not in query:
            self._settings["application_name"] = "bakong-service"
        self._dsn = url.set(drivername="postgresql", query=query).render_as_string(hide_password=False)
        self._timeouts = timeouts

    async def connect(self, *, patient: bool = False, keeps_statements: bool = True) -> asyncpg.Connection:
        """Return a new connection.

        The server limits its statements unless it is `patient`. Raises what asyncpg raises.
        """
        timeouts = self._timeouts
        link = await asyncpg.connect(
            self._dsn,
            timeout=self._connect_seconds,
            command_timeout=_PATIENT_SECONDS if patient else timeouts.answer,
            server_settings=self._settings,
            statement_cache_size=100 if keeps_statements else 0,
        )
        try:
            await link.execute(
                f"SET statement_timeout = {0 if patient else _milliseconds(timeouts.statement)}; "
                f"SET idle_in_transaction_session_timeout = {_milliseconds(timeouts.idle)}"
            )
        except BaseException:
            link.terminate()
            raise
        return link

    async def must_keep_sessions(self) -> None:
        """Raise `UnfitDatabase` if a pooler gives each transaction another session of the server.

        Limits, prepared statements and LISTEN belong to a session, and behind such a pooler a session doesn't last.
        """
        one = await self.connect(keeps_statements=False)
        try:
            if await _session(one) == one.get_server_pid():
                return  # there is no pooler between the service and the server
            other = await self.connect(keeps_statements=False)
            try:
                for _ in range(_ROUNDS):
                    if await _is_shared(one, other):
                        raise UnfitDatabase(
                            "DATABASE_URL leads to a pooler in transaction mode, which gives each transaction another "
                            "session. Let PgBouncer use pool_mode = session for this database, or connect to "
                            "PostgreSQL itself: the service has a pool of its own, DATABASE_POOL"
                        )
            finally:
                other.terminate()
        finally:
            one.terminate()


async def _is_shared(one: asyncpg.Connection, other: asyncpg.Connection) -> bool:
    """Return whether two connections got the same session, or one connection got two sessions."""
    before = await _session(one)
    async with other.transaction():
        return await _session(other) == before or await _session(one) != before


async def _session(link: asyncpg.Connection) -> int:
    """Return the id of the server's process that answers. A transaction makes a pooler keep one for the question."""
    if link.is_in_transaction():
        return int(await link.fetchval("SELECT pg_backend_pid()"))
    async with link.transaction():
        return int(await link.fetchval("SELECT pg_backend_pid()"))


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
