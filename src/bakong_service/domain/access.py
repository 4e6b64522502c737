"""Whether Bakong can be asked, and how: what the watcher learnt, so that a restart needn't learn it again.

bulk ── the list is refused, a single check isn't ──> singles ── six hours later the list answers ──> bulk
  └──────────── single checks are refused too ──> blocked ── a probe is answered ──> as before
"""

from datetime import datetime, timedelta

from attrs import evolve, frozen

from bakong_service.domain.watching import Mode

_TRY_THE_LIST_EVERY = timedelta(hours=6)
# How long the circuit stays open after the n-th refusal in a row.
_REFUSED = (timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=30))
_DOWN = (timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=5))
FAILURES_TO_OPEN = 5
"""So many outages in a row, whatever the payment, and all waits: asking on would only keep connections busy."""
OUTAGE = "server_unavailable"


@frozen(kw_only=True)
class Access:
    """How Bakong lets itself be asked. `list_probe_at`: when the closed list is tried again; `probe_at`: when, in
    `blocked`, one payment is asked for to see whether it passes."""

    mode: Mode = Mode.BULK
    reason: str = "untried"
    since: datetime
    probe_at: datetime | None = None
    list_probe_at: datetime | None = None
    refusals: int = 0  # in a row, while blocked
    failures: int = 0  # outages in a row, while not

    def asks_lists(self, now: datetime) -> bool:
        """Whether fifty may be asked for at once: the list is open, or it is time to see whether it is."""
        return self.list_probe_at is None or now >= self.list_probe_at

    def waits(self, now: datetime) -> bool:
        """Whether nothing is to be asked now."""
        return self.mode is Mode.BLOCKED and self.probe_at is not None and now < self.probe_at


def list_refused(access: Access, now: datetime) -> Access:
    """The list is closed, and single checks work."""
    since = access.since if access.mode is Mode.SINGLES else now
    return Access(mode=Mode.SINGLES, reason="list_closed", since=since, list_probe_at=now + _TRY_THE_LIST_EVERY)


def list_answered(access: Access, now: datetime) -> Access:
    """The list is open."""
    since = access.since if access.mode is Mode.BULK else now
    return Access(mode=Mode.BULK, reason="list_open", since=since)


def single_answered(access: Access, now: datetime) -> Access:
    """A single check was answered: whatever stood in the way is gone."""
    if access.mode is not Mode.BLOCKED:
        return evolve(access, failures=0)
    mode = Mode.BULK if access.asks_lists(now) else Mode.SINGLES
    return Access(mode=mode, reason="answered_again", since=now, list_probe_at=access.list_probe_at)


def refused(access: Access, reason: str, now: datetime) -> Access:
    """Bakong refuses us at the door, or takes no token of ours: the circuit opens, for longer after each probe."""
    if access.waits(now):
        return access  # a call that was under way when it opened
    pauses = _DOWN if reason == OUTAGE else _REFUSED
    refusals = access.refusals + 1 if access.mode is Mode.BLOCKED else 1
    since = access.since if access.mode is Mode.BLOCKED else now
    pause = pauses[min(refusals, len(pauses)) - 1]
    return evolve(access, mode=Mode.BLOCKED, reason=reason, since=since, probe_at=now + pause, refusals=refusals)


def failed(access: Access, now: datetime) -> Access:
    """Bakong was down for one call. The fifth time in a row the circuit opens, for a short while."""
    if access.mode is Mode.BLOCKED or access.failures + 1 >= FAILURES_TO_OPEN:
        return refused(access, OUTAGE, now)
    return evolve(access, failures=access.failures + 1)
