"""Why the service looks at a payment."""

from enum import StrEnum


class LookReason(StrEnum):
    """Why the next look at a payment is made, or why there is none."""

    HINT = "hint"  # somebody says that the payer is done, or an operator wants to know
    PAGE_OPEN = "page_open"  # a page shows the QR
    PAYER_MAY_PAY = "payer_may_pay"
    STARVED = "starved"  # few calls are left, and this is one of the fixed looks
    DEADLINE = "deadline"
    LOOK_BACK = "look_back"  # after the deadline
    CLOSING_CHECK = "closing_check"  # at the end of the watch
    UNVERIFIABLE = "unverifiable"  # after the watch, because Bakong hasn't answered
    REVIEW = "review"  # one of the payment's review items is open
    CLOSED = "closed"  # no further look
