"""A payment that callers know and that a restored database may have lost, and what Bakong says about it."""

from datetime import datetime
from enum import StrEnum

from attrs import evolve, frozen

from bakong_service.domain.outcome import Sighting


@frozen(kw_only=True)
class LostPayment:
    """What callers know about a payment. Only `md5` is always known; `amount` is text in major units."""

    md5: str  # 32 lower-case hex digits
    reference: str | None = None
    user_id: str | None = None
    plan: str | None = None
    amount: str | None = None
    currency: str | None = None
    event: str | None = None  # the type of the newest event that a receiver got: "payment.paid"
    sequence: int = 0  # of that event

    def joined(self, other: "LostPayment") -> "LostPayment":
        """Return what both records say about one payment; the record with the newer event wins."""
        newer, older = (other, self) if other.sequence >= self.sequence else (self, other)
        known = ("reference", "user_id", "plan", "amount", "currency", "event")
        return evolve(newer, **{name: getattr(newer, name) or getattr(older, name) for name in known})


class Finding(StrEnum):
    """What was found out about a lost payment."""

    IN_DATABASE = "in_database"  # the backup has it: the watcher looks at it
    MONEY = "money"  # Bakong shows money, and no payment for it is in the database
    MONEY_KNOWN = "money_known"  # Bakong shows money that the database has for another payment
    NOT_FOUND = "not_found"  # Bakong said "not found": no money came so far
    UNCLEAR = "unclear"  # Bakong says that the transaction failed, or something that can't be read
    UNANSWERED = "unanswered"  # Bakong couldn't be asked: nothing is known


@frozen(kw_only=True)
class Found:
    """A lost payment and its finding. `reason` says why nothing is known, or which payment has the money."""

    lost: LostPayment
    finding: Finding
    sighting: Sighting | None = None
    reason: str | None = None
    retry_at: datetime | None = None
