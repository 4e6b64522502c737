"""The outcome of one look at a payment. An error is never an answer: it is `NO_ANSWER` with a reason."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from attrs import field, frozen


class Answer(StrEnum):
    """The kinds of outcome. Only `NOT_FOUND` brings a payment nearer to `expired`."""

    FOUND = "found"
    UNREADABLE = "unreadable"  # Bakong reports a success that can't be read: it may be money
    NOT_FOUND = "not_found"  # Bakong said so: HTTP 200, error code 1
    FAILED_TX = "failed_tx"
    STATIC_QR = "static_qr"
    NO_ANSWER = "no_answer"


@frozen(kw_only=True)
class Sighting:
    """Money that Bakong shows for a payment's MD5. It is a fact, also if it isn't the money that was asked for."""

    tx_hash: str
    amount: Decimal  # major units, exactly as Bakong wrote it
    currency: str
    to_account: str
    from_account: str | None = field(default=None, repr=False)
    external_ref: str | None = None
    sent_at: datetime | None  # createdDateMs: when the payer sent
    acknowledged_at: datetime | None = None  # acknowledgedDateMs
    tracking_status: str | None = None
    is_received: bool = True  # False if the tracking status says that the money didn't arrive or went back

    @property
    def happened_at(self) -> datetime | None:
        """When the payer sent the money, as Bakong says; None if Bakong gave no time."""
        return self.sent_at or self.acknowledged_at


@frozen(kw_only=True)
class Outcome:
    """One answer about one payment.

    `asked_at` is when the call was sent, None if none was made. `reason` says why there is no answer
    (`"rate_limited"`), and `retry_at` when to ask again. `raw` is the text of the answer. `skew` is how far Bakong's
    clock is ahead of ours, zero if that isn't known.
    """

    answer: Answer
    asked_at: datetime | None
    sighting: Sighting | None = None
    reason: str | None = None
    retry_at: datetime | None = None
    raw: str | None = field(default=None, repr=False)
    skew: timedelta = timedelta(0)
