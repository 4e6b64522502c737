"""Whether and how Bakong can be asked. The watcher stores this state, so that a restart doesn't have to learn it again.

bulk ── the list is refused, a single check isn't ──> singles ── six hours (*) later the list answers ──> bulk
  └──────────── single checks are refused too ──> blocked ── a probe is answered ──> the mode before
(*) a day later if the rest of the day's calls is too small
"""

from datetime import datetime, timedelta

from attrs import evolve, frozen

from bakong_service.domain.watching import Mode

_TRY_THE_LIST_EVERY = timedelta(hours=6)
_TRY_THE_LIST_STARVED_EVERY = timedelta(days=1)  # each refused list costs one of the day's calls
# How long nothing is asked after the n-th refusal in a row.
_REFUSED = (timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=30))
_DOWN = (timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=5))
FAILURES_TO_OPEN = 5
"""After so many outages in a row nothing is asked for a while: more calls would only keep connections busy."""
OUTAGE = "server_unavailable"


@frozen(kw_only=True)
class Access:
    """How Bakong can be asked now.

    `list_probe_at` is when a closed list is tried again. `probe_at` is when, in the mode `blocked`, one call is made to
    see whether Bakong answers.
    """

    mode: Mode = Mode.BULK
    reason: str = "untried"
    since: datetime
    probe_at: datetime | None = None
    list_probe_at: datetime | None = None
    refusals: int = 0  # in a row, while blocked
    failures: int = 0  # outages in a row, while not

    def asks_lists(self, now: datetime) -> bool:
        """Return whether to ask about fifty payments at once: the list is open, or it is time to try it again."""
        return self.list_probe_at is None or now >= self.list_probe_at

    def waits(self, now: datetime) -> bool:
        """Return whether nothing may be asked now."""
        return self.mode is Mode.BLOCKED and self.probe_at is not None and now < self.probe_at


def list_refused(access: Access, now: datetime, *, is_starved: bool) -> Access:
    """Return the state after Bakong refused the list and answered a single check. `is_starved` if calls are few."""
    since = access.since if access.mode is Mode.SINGLES else now
    again_at = now + (_TRY_THE_LIST_STARVED_EVERY if is_starved else _TRY_THE_LIST_EVERY)
    return Access(mode=Mode.SINGLES, reason="list_closed", since=since, list_probe_at=again_at)


def list_answered(access: Access, now: datetime) -> Access:
    """Return the state after Bakong answered the list."""
    since = access.since if access.mode is Mode.BULK else now
    return Access(mode=Mode.BULK, reason="list_open", since=since)


def single_answered(access: Access, now: datetime) -> Access:
    """Return the state after Bakong answered a single check."""
    if access.mode is not Mode.BLOCKED:
        return evolve(access, failures=0)
    mode = Mode.BULK if access.asks_lists(now) else Mode.SINGLES
    return Access(mode=mode, reason="answered_again", since=now, list_probe_at=access.list_probe_at)


def refused(access: Access, reason: str, now: datetime) -> Access:
    """Return the state after Bakong refused our address or our token: nothing is asked, for longer after each probe."""
    if access.waits(now):
        return access  # the answer to a call that was in progress when the mode changed
    pauses = _DOWN if reason == OUTAGE else _REFUSED
    refusals = access.refusals + 1 if access.mode is Mode.BLOCKED else 1
    since = access.since if access.mode is Mode.BLOCKED else now
    pause = pauses[min(refusals, len(pauses)) - 1]
    return evolve(access, mode=Mode.BLOCKED, reason=reason, since=since, probe_at=now + pause, refusals=refusals)


def failed(access: Access, now: datetime) -> Access:
    """Return the state after Bakong was down for one call.

    After the fifth call in a row nothing is asked for a while.
    """
    if access.mode is Mode.BLOCKED or access.failures + 1 >= FAILURES_TO_OPEN:
        return refused(access, OUTAGE, now)
    return evolve(access, failures=access.failures + 1)
