"""A subscription, and the table of everything that may happen to it.

KHQR can't pull money, so nothing renews by itself: a renewal is a new QR that the user chooses to pay.
`domain/lifecycle.py` says how each happening changes the values.
"""

from datetime import datetime
from enum import StrEnum
from fractions import Fraction

from attrs import frozen

from bakong_service.domain.errors import Conflict
from bakong_service.domain.plan import Plan


class Status(StrEnum):
    """Whether the user is served. `entitled_until` says until when."""

    ACTIVE = "active"  # inside a paid period
    PAST_DUE = "past_due"  # the paid period is over, but the grace isn't
    CANCELLED = "cancelled"  # the user cancelled it, and is served until `entitled_until`
    EXPIRED = "expired"  # it is over; a user who comes back starts a new subscription


LIVE = frozenset({Status.ACTIVE, Status.PAST_DUE, Status.CANCELLED})
"""A user has at most one subscription in these statuses."""

PREPAID = "prepaid"
"""The flag of a subscription that is paid for more than one period beyond the present one."""

MOST_PERIODS_AHEAD = 2
"""How many periods beyond the present one may be paid. A person decides about further money."""


@frozen(kw_only=True)
class Period:
    """A period that was paid for. The value that it holds is in the ledger, on the account of its `id`."""

    id: int
    number: int  # its place in the subscription, from 1
    starts_at: datetime
    ends_at: datetime
    plan: Plan  # the version in force during it: the one bought, or the one changed to
    payment_id: int | None  # None if credit paid the whole price
    value: Fraction  # exactly what it held at `valued_at`, in minor units
    valued_at: datetime


@frozen(kw_only=True)
class Subscription:
    """A subscription as it stands. `version` rises by one with each change."""

    id: int
    reference: str
    user_id: str
    plan: Plan  # in force now
    status: Status
    flags: frozenset[str]
    version: int
    anchor_at: datetime  # when the first period began
    period_number: int  # the present one, from 1
    period_start: datetime
    period_end: datetime
    last_paid_period: int  # above `period_number` if the user paid ahead
    paid_through: datetime  # the end of the last paid period
    entitled_until: datetime
    scheduled_plan: Plan | None  # the plan from the next unpaid period on
    cancelled_at: datetime | None
    cancel_reason: str | None
    created_at: datetime
    next_action: str | None  # what the clock does to it next, and when
    next_action_at: datetime | None

    @property
    def renewal_plan(self) -> Plan:
        """The plan under which the next unpaid period is sold."""
        return self.scheduled_plan or self.plan

    @property
    def periods_ahead(self) -> int:
        """How many periods beyond the present one are paid."""
        return self.last_paid_period - self.period_number

    @property
    def sold_until(self) -> datetime:
        """The end of the time that was sold and not given up. The user's next subscription doesn't begin before it."""
        return min(self.paid_through, self.entitled_until)


class Happening(StrEnum):
    """What may happen to a subscription."""

    NEW_PAID = "new_paid"
    RENEWAL_PAID = "renewal_paid"
    RENEWAL_PAID_AHEAD = "renewal_paid_ahead"
    RENEWAL_PAID_LATE = "renewal_paid_late"
    PERIOD_STARTED = "period_started"
    UPGRADE_QUOTED = "upgrade_quoted"
    UPGRADE_PAID = "upgrade_paid"
    UPGRADE_OUTDATED = "upgrade_outdated"
    UPGRADE_FREE = "upgrade_free"
    DOWNGRADE_SCHEDULED = "downgrade_scheduled"
    DOWNGRADE_NOW = "downgrade_now"
    CANCELLED = "cancelled"
    RESUMED = "resumed"
    RENEWAL_DUE = "renewal_due"
    RENEWAL_REQUESTED = "renewal_requested"
    PERIOD_UNPAID = "period_unpaid"
    GRACE_OVER = "grace_over"
    END_REACHED = "end_reached"
    PAYMENT_REVERSED = "payment_reversed"


@frozen
class Transition:
    """One row of the table. `target` is None if the status stays; a source is None if there is no subscription yet."""

    number: str
    happening: Happening
    sources: tuple[Status | None, ...]
    target: Status | None
    tells: tuple[str, ...]  # the events that are sent, in order
    when: str
    does: str


_A, _P, _C, _E = Status.ACTIVE, Status.PAST_DUE, Status.CANCELLED, Status.EXPIRED
_H = Happening

TRANSITIONS: tuple[Transition, ...] = (
    Transition("S1", _H.NEW_PAID, (None, _E), _A, ("subscription.activated",),
        "a payment for a new subscription, and the user has no live one",
        "a new subscription; period 1 begins at the payer's time, or where an earlier one's paid days end"),
    Transition("S2", _H.RENEWAL_PAID, (_A, _P), _A, ("subscription.renewed",),
        "a renewal payment, and the next period isn't paid yet",
        "the next period, from the boundary on, under the scheduled plan where there is one"),
    Transition("S2b", _H.PERIOD_STARTED, (_A, _C), None, (),
        "a boundary, and the next period is paid",
        "the next period is the present one; its plan is in force (`subscription.downgraded` where it is another)"),
    Transition("S3", _H.RENEWAL_PAID_AHEAD, (_A,), _A, ("subscription.renewed",),
        "a renewal payment, the next period is paid and the one after it isn't",
        "one more period, flag `prepaid`; with two paid ahead the money goes to review"),
    Transition("S4", _H.RENEWAL_PAID_LATE, (None, _E), _A, ("subscription.activated",),
        "a renewal payment seen after the subscription expired",
        "a new subscription, as S1: no day is sold twice and none is bought in the past"),
    Transition("S5", _H.UPGRADE_QUOTED, (_A,), None, (),
        "an upgrade is asked for, and the other plan is dearer",
        "an immutable quote and its payment; an older upgrade QR is superseded"),
    Transition("S6", _H.UPGRADE_PAID, (_A, _P), None, ("subscription.upgraded",),
        "an upgrade payment, and plan and paid periods are still the quoted ones",
        "the plan is switched at once; open renewal QRs are superseded"),
    Transition("S7", _H.UPGRADE_OUTDATED, (_A, _P), None, ("subscription.upgrade_credited",),
        "an upgrade payment, and plan or paid periods changed meanwhile",
        "the money becomes credit"),
    Transition("S8", _H.UPGRADE_FREE, (_A,), None, ("subscription.upgraded",),
        "an upgrade is asked for, and nothing is left to charge",
        "the plan is switched at once, without a QR; value that the new plan doesn't need becomes credit"),
    Transition("S9", _H.DOWNGRADE_SCHEDULED, (_A,), None, ("subscription.downgrade_scheduled",),
        "a downgrade at the period's end is asked for, and the other plan isn't dearer",
        "`scheduled_plan`; an open renewal QR is superseded by one at the new price"),
    Transition("S10", _H.DOWNGRADE_NOW, (_A,), None, ("subscription.downgraded",),
        "a downgrade now is asked for, and the other plan isn't dearer",
        "the plan is switched at once; value that the new plan doesn't need becomes credit"),
    Transition("S11", _H.CANCELLED, (_A, _P), _C, ("subscription.cancelled",),
        "cancel at the end of what is paid, or now",
        "`cancelled_at`, the reason, `entitled_until`; open QRs are cancelled, and still watched"),
    Transition("S12", _H.RESUMED, (_C,), _A, ("subscription.resumed",),
        "resume, before `entitled_until`",
        "as before the cancelling"),
    Transition("S13", _H.PERIOD_UNPAID, (_A,), _P, ("subscription.past_due",),
        "a boundary, the next period isn't paid, and there is a grace",
        "`entitled_until` is the boundary + the grace"),
    Transition("S14", _H.GRACE_OVER, (_A, _P), _E, ("subscription.renewal_failed", "subscription.expired"),
        "the end of the grace; without a grace, the boundary",
        "an audit line; open renewal QRs stay payable (S4)"),
    Transition("S15", _H.RENEWAL_DUE, (_A,), None, ("subscription.renewal_due",),
        "7, 3 and 1 days before a boundary, and the next period isn't paid",
        "the event alone; the renewal QR is made when somebody first looks"),
    Transition("S15b", _H.RENEWAL_REQUESTED, (_A, _P), None, (),
        "a renewal QR is asked for",
        "its payment; where credit pays for it all, the period at once and no QR"),
    Transition("S16", _H.END_REACHED, (_C,), _E, ("subscription.ended",),
        "`entitled_until` of a cancelled subscription",
        "over"),
    Transition("R", _H.PAYMENT_REVERSED, (_A, _P, _C), None, ("subscription.shortened",),
        "a refund, with the choice to take its effect back",
        "all of its money that wasn't served; time follows value, and a subscription with none left is cancelled now"),
)  # fmt: skip

_BY_SOURCE = {(source, row.happening): row for row in TRANSITIONS for source in row.sources}

_RESUME = ("resume_instead", "it is cancelled: resume it first")
_OVER = ("subscription_over", "it is over: a payment for a plan starts a new one")
_PAY_FIRST = ("renewal_unpaid", "its paid period is over: renew it first")

REFUSALS: dict[tuple[Status, Happening], tuple[str, str]] = {
    (_P, _H.UPGRADE_QUOTED): _PAY_FIRST,
    (_C, _H.UPGRADE_QUOTED): _RESUME,
    (_E, _H.UPGRADE_QUOTED): _OVER,
    (_P, _H.DOWNGRADE_SCHEDULED): _PAY_FIRST,
    (_C, _H.DOWNGRADE_SCHEDULED): _RESUME,
    (_E, _H.DOWNGRADE_SCHEDULED): _OVER,
    (_P, _H.DOWNGRADE_NOW): _PAY_FIRST,
    (_C, _H.DOWNGRADE_NOW): _RESUME,
    (_E, _H.DOWNGRADE_NOW): _OVER,
    (_C, _H.CANCELLED): ("already_cancelled", "it is cancelled already"),
    (_E, _H.CANCELLED): ("subscription_over", "it is over already"),
    (_A, _H.RESUMED): ("not_cancelled", "it isn't cancelled"),
    (_P, _H.RESUMED): ("not_cancelled", "it isn't cancelled: renew it"),
    (_E, _H.RESUMED): _OVER,
    (_C, _H.RENEWAL_REQUESTED): _RESUME,
    (_E, _H.RENEWAL_REQUESTED): _OVER,
}
"""Requests at the wrong time: the code of the refusal, and what to do instead."""


def transition(subscription: Subscription | None, happening: Happening) -> Transition:
    """Return the row of the table that applies. Raises `Conflict` for a request at the wrong time.

    Raises `ValueError` if the service itself asked for something impossible, which is a bug.
    """
    status = None if subscription is None else subscription.status
    if row := _BY_SOURCE.get((status, happening)):
        return row
    if subscription is not None and status is not None and (refusal := REFUSALS.get((status, happening))):
        code, advice = refusal
        raise Conflict(code, f"{subscription.reference} is {status}: {advice}")
    raise ValueError(f"{happening} can't happen to a subscription that is {status}")
