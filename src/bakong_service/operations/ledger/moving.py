"""Moves value between ledger accounts when payments and subscriptions change. `domain/value.py` computes how much.

In each function, `paid` are the paid periods of a subscription that haven't ended. A `Share` belongs to the period with
its number: the period needs so many minor units more, or has so many too many if the share is below zero. `incoming` is
money that was seen, and the account where it is now.
"""

from collections.abc import Sequence
from fractions import Fraction

from attrs import evolve

from bakong_service.domain import ledger as accounts
from bakong_service.domain import value
from bakong_service.domain.ledger import GIFT, LOST, OUTSIDE, SERVED, Account, Reason
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment
from bakong_service.domain.purchase import Incoming
from bakong_service.domain.subscription import Period, Subscription
from bakong_service.domain.value import Share
from bakong_service.operations.ledger.credit import owner
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.ledger.entries import MoveCause
from bakong_service.storage.payments.receipts import Receipt
from bakong_service.storage.subscriptions import periods


def unserved(work: UnitOfWork, subscription: Subscription) -> list[Period]:
    """Return the paid periods that haven't ended at `now`, the present one first."""
    paid = periods.from_number(work.connection, subscription.id, subscription.period_number)
    return [period for period in paid if period.ends_at > work.now]


def serve(work: UnitOfWork, subscription: Subscription) -> None:
    """Move the value that service has used up by `now` out of the periods, in proportion to the time gone by."""
    paid = periods.from_number(work.connection, subscription.id, subscription.period_number)
    held = ledger.balances(work.connection, {period.id: accounts.period(period.id) for period in paid})
    cause = MoveCause(Reason.SERVED, subscription.reference)
    for period in paid:
        used = held.get(period.id, 0) - value.held(period, work.now)
        money = Money(used, period.plan.price.currency)
        work.move(money, accounts.period(period.id), SERVED, cause)


def await_decision(work: UnitOfWork, receipt: Receipt, *, cause: str) -> None:
    """Put money that an operator has to decide about into a ledger account. The ledger holds only whole minor units."""
    if receipt.money is not None:
        origin = accounts.receipt_origin(receipt.id)
        seen = MoveCause(Reason.SEEN, cause)
        work.move(receipt.money, OUTSIDE, accounts.review(receipt.id), seen, origin=origin)


def decide(work: UnitOfWork, receipt: Receipt, target: Account, reason: Reason, *, cause: str) -> None:
    """Move money that waited for a decision to the account that the operator chose."""
    if receipt.money is not None:
        decided = MoveCause(reason, cause)
        work.move(receipt.money, accounts.review(receipt.id), target, decided)


def take_one_off(work: UnitOfWork, payment: Payment, incoming: Incoming) -> None:
    """Serve the money of a one-off payment at once, because only the main backend knows what the payment bought."""
    work.move(
        incoming.money, incoming.account, SERVED, MoveCause(Reason.PAID, payment.reference), origin=_origin(incoming)
    )


def take_as_credit(work: UnitOfWork, payment: Payment, incoming: Incoming) -> None:
    """Turn all money of a payment into the user's credit, because what it should buy isn't available any more."""
    cause = MoveCause(Reason.OUTDATED, payment.reference)
    user = accounts.credit(owner(payment))
    work.move(incoming.money, incoming.account, user, cause, origin=_origin(incoming))


def pay_with_credit(
    work: UnitOfWork, subscription: Subscription, shares: Sequence[Share], paid: Sequence[Period], credit: Money
) -> None:
    """Put into the periods what they need: first the excess of other periods, and then `credit` of the user.

    If both are less than the periods need, the periods hold less: the shop waives the rest of the price.
    """
    cause = MoveCause(Reason.SPENT, subscription.reference)
    wanting, user = _wanting(shares, paid), accounts.credit(subscription.user_id)
    _even_out(work, shares, paid, wanting, user, cause)
    _pour(work, wanting, user, credit, cause)


def pay(
    work: UnitOfWork, payment: Payment, incoming: Incoming, shares: Sequence[Share], paid: Sequence[Period]
) -> None:
    """Put into the periods what they need, from what was paid for them. They never get more than was paid.

    The excess of other periods comes first, then the money that came, the credit that was set aside, and the credit
    that was returned when the payment closed. What is left becomes the user's credit. If an operator accepts less than
    the price, the periods hold less: the shop gives the rest away, and no ledger account receives value for it.
    """
    cause = MoveCause(Reason.PAID, payment.reference)
    currency, user = payment.amount.currency, accounts.credit(owner(payment))
    aside = accounts.set_aside(payment.reference)
    wanting = _wanting(shares, paid)
    _even_out(work, shares, paid, wanting, user, cause)
    kept = Money(ledger.balance(work.connection, aside, currency), currency)
    for account, money, origin in ((incoming.account, incoming.money, _origin(incoming)), (aside, kept, None)):
        over = _pour(work, wanting, account, money, cause, origin)
        work.move(over, account, user, cause, origin=origin)
    # The credit that the payment was reduced by, and that was returned when it closed, if the user still has it.
    again = min(payment.credit_reserved - kept.minor, ledger.balance(work.connection, user, currency))
    _pour(work, wanting, user, Money(again, currency), cause)


def free(work: UnitOfWork, subscription: Subscription, shares: Sequence[Share], paid: Sequence[Period]) -> None:
    """Move the value that a change of plan frees: first into the other periods, and the rest to the user's credit."""
    cause = MoveCause(Reason.PLAN_CHANGED, subscription.reference)
    by_number = {period.number: accounts.period(period.id) for period in paid}
    user, currency = accounts.credit(subscription.user_id), subscription.plan.price.currency
    for move in value.freed(shares):
        source, money = by_number[move.source], Money(move.minor, currency)
        if move.target is None:
            _release(work, source, money, user, cause)
        else:
            work.move(money, source, by_number[move.target], cause)


def freed_gift(work: UnitOfWork, shares: Sequence[Share], paid: Sequence[Period]) -> int:
    """Return how many minor units of the shop's gift `free` would return to the shop. Nothing moves.

    It goes through the same moves as `free`, and takes the origins of each period's value in the same order.
    """
    gift, by_number = 0, {period.number: period for period in paid}
    gone: dict[int, int] = {}  # by period: the value that is served by now, and the value that earlier moves take
    for move in value.freed(shares):
        period = by_number[move.source]
        account, currency = accounts.period(period.id), period.plan.price.currency
        if move.source not in gone:
            gone[move.source] = ledger.balance(work.connection, account, currency) - value.held(period, work.now)
        skip, gone[move.source] = gone[move.source], gone[move.source] + move.minor
        for origin, minor in ledger.taken(work.connection, Money(skip + move.minor, currency), account):
            part = max(0, minor - skip)
            skip = max(0, skip - minor)
            gift += part if move.target is None and accounts.is_refund(origin) else 0
    return gift


def lose(work: UnitOfWork, subscription: Subscription) -> int:
    """Move the value of a subscription that ends at once to `lost`. Return how many minor units that is."""
    serve(work, subscription)
    cause = MoveCause(Reason.CANCELLED, subscription.reference)
    lost, ended = 0, []
    for period in unserved(work, subscription):
        held = value.held(period, work.now)
        money = Money(held, period.plan.price.currency)
        work.move(money, accounts.period(period.id), LOST, cause)
        ended.append(evolve(period, value=Fraction(0), valued_at=work.now))
        lost += held
    periods.save(work.connection, ended)
    return lost


def revalue(work: UnitOfWork, paid: Sequence[Period]) -> None:
    """Store for each period the value that its ledger account holds now.

    A fraction of a minor unit that isn't served yet stays with the period, and is served later.
    """
    balances = ledger.balances(work.connection, {period.id: accounts.period(period.id) for period in paid})
    periods.save(
        work.connection,
        [
            value.revalued(period, balances.get(period.id, 0) - value.held(period, work.now), work.now)
            for period in paid
        ],
    )


def _wanting(shares: Sequence[Share], paid: Sequence[Period]) -> dict[int, int]:
    """Return how many minor units each period still needs, by its id. `_pour` subtracts what it puts in."""
    by_number = {period.number: period.id for period in paid}
    return {by_number[share.number]: share.minor for share in shares if share.minor > 0}


def _even_out(
    work: UnitOfWork,
    shares: Sequence[Share],
    paid: Sequence[Period],
    wanting: dict[int, int],
    user: Account,
    cause: MoveCause,
) -> None:
    """Move the excess of periods into the periods that need value, and the rest to the user's credit."""
    by_number = {period.number: period for period in paid}
    for share in shares:
        if share.minor < 0:
            period = by_number[share.number]
            spare = Money(min(-share.minor, value.held(period, work.now)), period.plan.price.currency)
            over = _pour(work, wanting, accounts.period(period.id), spare, cause)
            _release(work, accounts.period(period.id), over, user, cause)


def _release(work: UnitOfWork, source: Account, money: Money, user: Account, cause: MoveCause) -> None:
    """Move value that no period needs out of a period, to the user's credit.

    Service that stays after a refund is the shop's gift. Its value goes back to the shop, because the payer already has
    the money.
    """
    for origin, minor in ledger.taken(work.connection, money, source):
        target = GIFT if accounts.is_refund(origin) else user
        work.move(Money(minor, money.currency), source, target, cause, origin=origin)


def _pour(
    work: UnitOfWork,
    wanting: dict[int, int],
    source: Account,
    money: Money,
    cause: MoveCause,
    origin: str | None = None,
) -> Money:
    """Move money from one account into the periods that still need it. Return the money for which there is no need.

    Each origin is split over the periods in proportion to their needs. The oldest origin is used first.
    """
    poured = Money(min(money.minor, sum(wanting.values())), money.currency)
    for each, minor in ledger.taken(work.connection, poured, source, origin):
        for period_id, part in zip(list(wanting), value.apportioned(minor, list(wanting.values())), strict=True):
            target, share = accounts.period(period_id), Money(part, money.currency)
            work.move(share, source, target, cause, origin=each)
            wanting[period_id] -= part
    return Money(money.minor - poured.minor, money.currency)


def _origin(incoming: Incoming) -> str:
    return accounts.receipt_origin(incoming.receipt_id)
