"""Where the money of a payment is now, as `GET /v1/payments/{reference}` and `payments show` show it."""

from collections import defaultdict
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection

from bakong_khqr.money import Currency
from bakong_service.domain import ledger as accounts
from bakong_service.domain.ledger import AccountKind
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment
from bakong_service.domain.value import held
from bakong_service.operations.payments import refunds
from bakong_service.resources import Value, ValueInCurrency
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.ledger.entries import Holding
from bakong_service.storage.payments import receipts
from bakong_service.storage.subscriptions import periods

V = TypeVar("V", bound=ValueInCurrency)

_PLACES = {
    AccountKind.SERVED: "served",
    AccountKind.PERIOD: "periods",
    AccountKind.CREDIT: "credit",
    AccountKind.SET_ASIDE: "set_aside",
    AccountKind.REVIEW: "review",
    AccountKind.OUTSIDE: "returned",
    AccountKind.LOST: "lost",
}
"""Where the money of a receipt can be. It can't be in the account of gifts."""


def of_nothing(payment: Payment) -> Value:
    """Return what `of_payment` returns for a payment without money, and don't ask the database."""
    return _nothing_in(payment.amount.currency)


@cache
def _nothing_in(currency: str) -> Value:
    zero = str(Money(0, currency))
    places = dict.fromkeys(_PLACES.values(), zero)
    return Value(currency=Currency(currency), received=zero, refundable=zero, **places, others=[])


def of_payment(connection: Connection, payment: Payment, *, now: datetime) -> Value:
    """Return what came for a payment and where it is at `now`, as text in major units of the payment's currency.

    The places add up to `received`. `refundable` is how much of it a refund may still send back. `others` has the money
    that came in other currencies, in the same form.
    """
    received: dict[str, int] = defaultdict(int)
    places: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_PLACES.values(), 0))
    seen = receipts.of_payment(connection, payment.id)
    for receipt in seen:
        if receipt.money is not None:
            received[receipt.currency] += receipt.money.minor
    for holding in ledger.of_origins(connection, [accounts.receipt_origin(receipt.id) for receipt in seen]):
        used = _used(connection, holding, now) if holding.account.kind is AccountKind.PERIOD else 0
        places[holding.money.currency][_PLACES[holding.account.kind]] += holding.money.minor - used
        places[holding.money.currency]["served"] += used
    for currency, minor in received.items():
        places[currency]["returned"] += minor  # the balance of `outside` is what went back minus what came

    refundable = refunds.refundable(connection, payment)

    def written(kind: type[V], currency: str, **more: Any) -> V:
        left = refundable.left.minor if refundable is not None and refundable.left.currency == currency else 0
        amounts = {"received": received[currency], "refundable": left, **places[currency]}
        texts = {name: str(Money(minor, currency)) for name, minor in amounts.items()}
        return kind(currency=Currency(currency), **texts, **more)

    own = payment.amount.currency
    others = [written(ValueInCurrency, currency) for currency in sorted(places) if currency != own]
    return written(Value, own, others=others)


def _used(connection: Connection, holding: Holding, now: datetime) -> int:
    """Return how much of a holding in a period was served since the ledger last moved value out of the period."""
    period = periods.by_id(connection, int(holding.account.holder))
    currency = holding.money.currency
    used = Money(ledger.balance(connection, holding.account, currency) - held(period, now), currency)
    return sum(minor for origin, minor in ledger.taken(connection, used, holding.account) if origin == holding.origin)
