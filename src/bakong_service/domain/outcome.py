"""What a look at Bakong told about one payment. An error is never an answer: it is `NO_ANSWER` with a reason."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from attrs import field, frozen


class Answer(StrEnum):
    """The kinds of outcome. Only `NOT_FOUND` brings a payment nearer to its end."""

    FOUND = "found"
    UNREADABLE = "unreadable"  # a success that can't be read: it may be money
    NOT_FOUND = "not_found"  # Bakong's own word: HTTP 200, error code 1
    FAILED_TX = "failed_tx"
    STATIC_QR = "static_qr"
    NO_ANSWER = "no_answer"


@frozen(kw_only=True)
class Sighting:
    """Money that Bakong knows under a payment's MD5: a fact, whatever the payment was for."""

    tx_hash: str
    amount: Decimal  # major units, exactly as told
    currency: str
    to_account: str
    from_account: str | None = field(default=None, repr=False)
    external_ref: str | None = None
    sent_at: datetime | None  # createdDateMs: when the payer sent
    acknowledged_at: datetime | None = None  # acknowledgedDateMs
    tracking_status: str | None = None
    is_received: bool = True  # False where the tracking status says that the money failed to come or went back

    @property
    def happened_at(self) -> datetime | None:
        """When the payer sent, by Bakong's word; None where it told no time at all."""
        return self.sent_at or self.acknowledged_at


@frozen(kw_only=True)
class Outcome:
    """One answer about one payment.

    `asked_at` is when the call was sent, None where none was made; `reason` names what stood in the way of an answer
    (`"rate_limited"`), `retry_at` when asking again makes sense; `raw` is the answer's own text.
    """

    answer: Answer
    asked_at: datetime | None
    sighting: Sighting | None = None
    reason: str | None = None
    retry_at: datetime | None = None
    raw: str | None = field(default=None, repr=False)
