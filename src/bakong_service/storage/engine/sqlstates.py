"""PostgreSQL's errors that are *trouble*: they are nobody's mistake, so the caller gets a 503 and may ask again.

An error with a row here is trouble. Every other error is a bug of ours and becomes a 500. The caller can't cause one,
because bodies and URLs are checked before they reach the database. One case gets another answer than 503: a request
that waited too long for a request with the same idempotency key (`web/http/idempotency.py`).
"""

from enum import Enum

from attrs import frozen


class Fate(Enum):
    """What happens to the connection on which the error came."""

    KEEP = "keep"  # it goes back to the pool: after the rollback it is in order
    DROP = "drop"  # it is closed, because it may be damaged
    DROP_ALL = "drop all"  # it is closed, and so are the idle ones in the pool, which would have the same error


@frozen(kw_only=True)
class Trouble:
    """What one SQLSTATE, or a class of them, means, and what the service does about it."""

    reason: str  # for the log and for the operator of a command
    fate: Fate
    again: bool  # whether the same transaction is run again at once, up to `executor.ATTEMPTS` times
    in_doubt: bool = False  # whether the transaction may be committed although COMMIT was answered with this error


_LOST = Trouble(reason="the connection broke", fate=Fate.DROP_ALL, again=True, in_doubt=True)
_OVERTAKEN = Trouble(reason="two transactions met", fate=Fate.KEEP, again=True)
_NOT_LET_IN = Trouble(reason="the server refuses the role or the database of DATABASE_URL", fate=Fate.DROP, again=False)
# The waiting for a lock, or the whole statement, lasted longer than the connection allows.
WAITED = Trouble(reason="the statement waited for too long", fate=Fate.KEEP, again=False)

TROUBLES: dict[str, Trouble] = {
    # A connection exception, or a pooler that lost its own connection.
    "08": _LOST,
    # After a failover the old connections lead to a read-only server. New connections lead to the one that writes.
    "25006": Trouble(reason="the server takes no writes now", fate=Fate.DROP_ALL, again=True),
    # A pooler, or a break at that moment, left the connection inside a failed transaction.
    "25P02": Trouble(reason="the connection was left in a failed transaction", fate=Fate.DROP, again=True),
    # The server ended the connection because its transaction did nothing for too long, or took too long.
    "25P03": Trouble(reason="the server ended an idle transaction", fate=Fate.DROP, again=True, in_doubt=True),
    "25P04": Trouble(reason="the server ended a long transaction", fate=Fate.DROP, again=False, in_doubt=True),
    # The server doesn't have a statement that was prepared on this connection: somebody has cleared the session.
    "26000": Trouble(reason="the connection lost its prepared statements", fate=Fate.DROP, again=True),
    # The password or pg_hba.conf was changed, or the role was locked. Only a person can put it right.
    "28": _NOT_LET_IN,
    "3D000": _NOT_LET_IN,
    "40001": _OVERTAKEN,  # a serialization failure
    "40P01": _OVERTAKEN,  # a deadlock, which ends one of the two
    # Only distributed servers answer this: they don't know whether the statement was done.
    "40003": Trouble(reason="the server doesn't know whether it was done", fate=Fate.DROP, again=False, in_doubt=True),
    "42501": Trouble(reason="the role of DATABASE_URL lacks a right", fate=Fate.KEEP, again=False),
    # A full disk, or a limit of the server's configuration, lasts longer than all our attempts.
    "53": Trouble(reason="the server lacks a resource", fate=Fate.DROP, again=False),
    "53200": Trouble(reason="the server is out of memory", fate=Fate.DROP, again=True),
    "53300": Trouble(reason="the server has no connection left", fate=Fate.DROP, again=True),
    # The statement has waited as long as it may. If it were run again, the caller would wait several times as long.
    "55P03": WAITED,
    "57014": WAITED,
    # The server stops, crashed, starts, or ended this one connection. 57P04: the database was dropped.
    "57P": _LOST,
    # The server's disk or operating system failed, or the server found damaged data or an error of its own.
    "58": Trouble(reason="the server's system failed", fate=Fate.DROP, again=True, in_doubt=True),
    "XX": Trouble(reason="the server failed inside", fate=Fate.DROP, again=True, in_doubt=True),
}

# A migration changed a table while this version was running. The connection then prepares its statements again. Its
# SQLSTATE is 0A000, which otherwise says that the server lacks a feature.
CHANGED_PLAN = Trouble(reason="a table was changed while it was used", fate=Fate.KEEP, again=True)


def trouble(sqlstate: str | None) -> Trouble | None:
    """Return the row of a SQLSTATE; None if the error is a bug of ours, or has no SQLSTATE.

    If the SQLSTATE has no row of its own, the row of its first three characters counts (`57P`), and then the row of its
    class, which is its first two characters (`08`).
    """
    if sqlstate is None:
        return None
    for length in (5, 3, 2):
        if (found := TROUBLES.get(sqlstate[:length])) is not None:
            return found
    return None
