"""PostgreSQL's errors that are *trouble*: they are nobody's mistake, so the caller gets a 503 and may ask again.

An error with a row here is trouble. Every other error is a bug of ours and becomes a 500. The caller can't cause one,
because bodies and URLs are checked before they reach the database; `web/http/idempotency.py` handles a request that
waits too long for another request with the same key.
"""

from enum import Enum

from attrs import frozen


class Link(Enum):
    """What happens to the connection on which the error came."""

    KEEP = "keep"  # after the rollback it is in order
    DROP = "drop"  # it may be damaged
    DROP_ALL = "drop all"  # and also the idle ones in the pool, which would have the same error


@frozen(kw_only=True)
class Trouble:
    """What one SQLSTATE, or a class of them, means, and what the service does about it."""

    reason: str  # for the log and for the operator of a command
    link: Link
    again: bool  # whether the same transaction is run again at once
    in_doubt: bool = False  # whether a COMMIT with this answer may have been done


_LOST = Trouble(reason="the connection broke", link=Link.DROP_ALL, again=True, in_doubt=True)
_OVERTAKEN = Trouble(reason="two transactions met", link=Link.KEEP, again=True)
_NOT_LET_IN = Trouble(reason="the server refuses the role or the database of DATABASE_URL", link=Link.DROP, again=False)
WAITED = Trouble(reason="the statement waited for too long", link=Link.KEEP, again=False)

TROUBLES: dict[str, Trouble] = {
    # A connection exception, or a pooler that lost its own connection.
    "08": _LOST,
    # After a failover the old connections lead to a read-only server. New connections lead to the one that writes.
    "25006": Trouble(reason="the server takes no writes now", link=Link.DROP_ALL, again=True),
    # A pooler, or a break at that moment, left the connection inside a failed transaction.
    "25P02": Trouble(reason="the connection was left in a failed transaction", link=Link.DROP, again=True),
    # The server ended the connection because its transaction did nothing for too long, or took too long.
    "25P03": Trouble(reason="the server ended an idle transaction", link=Link.DROP, again=True, in_doubt=True),
    "25P04": Trouble(reason="the server ended a long transaction", link=Link.DROP, again=False, in_doubt=True),
    # The server doesn't have a statement that was prepared on this connection: somebody has cleared the session.
    "26000": Trouble(reason="the connection lost its prepared statements", link=Link.DROP, again=True),
    # The password was changed, the role was locked, or pg_hba.conf was: it takes a person to put it right.
    "28": _NOT_LET_IN,
    "3D000": _NOT_LET_IN,
    "40001": _OVERTAKEN,  # a serialization failure
    "40P01": _OVERTAKEN,  # a deadlock, which ends one of the two
    # Only distributed servers answer this: they don't know whether the statement was done.
    "40003": Trouble(reason="the server doesn't know whether it was done", link=Link.DROP, again=False, in_doubt=True),
    "42501": Trouble(reason="the role of DATABASE_URL lacks a right", link=Link.KEEP, again=False),
    # A full disk, or a limit of the server's configuration, lasts longer than three attempts.
    "53": Trouble(reason="the server lacks a resource", link=Link.DROP, again=False),
    "53200": Trouble(reason="the server is out of memory", link=Link.DROP, again=True),
    "53300": Trouble(reason="the server has no connection left", link=Link.DROP, again=True),
    # The statement waited as long as it may: with three attempts the caller would wait three times as long.
    "55P03": WAITED,
    "57014": WAITED,
    # The server stops, crashed, starts, or ended this one connection. 57P04: the database was dropped.
    "57P": _LOST,
    # The server's disk or operating system failed, or the server found damaged data or an error of its own.
    "58": Trouble(reason="the server's system failed", link=Link.DROP, again=True, in_doubt=True),
    "XX": Trouble(reason="the server failed inside", link=Link.DROP, again=True, in_doubt=True),
}

# A migration changed a table while this version was running. The connection then prepares its statements again. Its
# SQLSTATE is 0A000, which otherwise says that the server lacks a feature.
CHANGED_PLAN = Trouble(reason="a table was changed while it was used", link=Link.KEEP, again=True)


def trouble(sqlstate: str | None) -> Trouble | None:
    """Return the row of a SQLSTATE, or else of its class (its first two characters); None if the error is a bug."""
    if sqlstate is None:
        return None
    for length in (5, 3, 2):
        if (found := TROUBLES.get(sqlstate[:length])) is not None:
            return found
    return None
