"""Remembering the answers about new payments: backends ask every few seconds, and nearly always get the same answer."""

from collections import OrderedDict
from collections.abc import Callable

from bakong_service.domain.payment import Payment

_MOST = 4000  # answers, of about 3 kB each


class PolledAnswers:
    """The latest answers of this process, each with the payment that it shows.

    The payment is read from the database for each request. Its answer is taken from here only if the payment is equal
    in every field to the one that the answer was made of.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[int, tuple[Payment, bytes]] = OrderedDict()

    def of(self, payment: Payment, answer: Callable[[Payment], bytes]) -> bytes:
        """Return the answer that `answer` makes of a payment. Nothing else in it may change."""
        kept = self._kept.get(payment.id)
        if kept is None or kept[0] != payment:
            kept = self._kept[payment.id] = (payment, answer(payment))
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(payment.id)
        return kept[1]
