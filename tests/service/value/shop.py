"""A model of the shop around the law of value: payments, requests and decisions, each a method."""

from typing import Any

from attrs import Factory, define

from service.value.law import GRACE, PERIOD, Law, Period, Subscription, credit_of

DEADLINE, LATE = 900, 900  # seconds: a payment is open for the first, and money is accepted for the second after that
LEAST = {"USD": 1, "KHR": 100}  # the smallest amount that a QR can ask for


class Refused(Exception):  # noqa: N818 - a refusal is an answer, and nothing has changed
    """The request can't be done now."""


@define(eq=False)
class Payment:
    name: str
    user: str
    purpose: str  # new, renewal, upgrade or one_off
    plan: str
    price: int  # the list price of the plan when the payment was made
    amount: int  # what its QR asks for
    currency: str
    opened: int
    credit: int = 0  # what was set aside for it
    version: int = -1  # of the subscription that an upgrade was quoted for
    status: str = "pending"
    applied: str = (
        ""  # the receipt that was applied or credited. Decision: a refund of the payment is of this money alone
    )
    receipts: list[str] = Factory(list)  # each receipt is an origin of its own


class Shop:
    def __init__(self, plans: dict[str, tuple[int, str]]) -> None:
        self.plans, self.law, self.payments = dict(plans), Law(), dict[str, Payment]()

    # Answers

    def value_of(self, name: str) -> dict[str, int]:
        """Return where the money of a payment is: held, served, credit, set aside, review, lost or returned."""
        every = [self.law.places(receipt) for receipt in self.payments[name].receipts]
        return {place: sum(one.get(place, 0) for one in every) for place in sorted({k for one in every for k in one})}

    def credit(self, user: str, currency: str = "USD") -> int:
        return self.law.credit(user, currency)

    def held(self, user: str) -> list[int]:
        return [self.law.held(period) for period in self.law.subscription(user).periods]

    def refundable(self, name: str) -> int:
        return -self.law.held("outside", self.payments[name].applied)

    def gifts(self, currency: str) -> int:
        """Return what the shop gave away: goodwill, and refunds of what was served or left in place."""
        return -sum(value for origin, value in self.law.at["gift"].items() if origin.endswith("/" + currency))

    def plan(self, user: str) -> str:
        return self.law.subscription(user).plan

    def entitled_until(self, user: str) -> int:
        return self.law.entitled_until(user)

    def alive(self, user: str, *statuses: str) -> Subscription:
        found = self.law.live.get(user)
        if not found or found.status not in statuses:
            raise Refused(f"the subscription is not {' or '.join(statuses)}")
        return found

    # Time

    def advance(self, seconds: int) -> None:
        self.law.now += seconds
        for payment in [p for p in self.payments.values() if p.status == "pending"]:
            if self.law.now >= payment.opened + DEADLINE:
                self.close(payment.name, "timeout")
        for found in list(self.law.live.values()):
            self.law.serve(found)
            if found.status == "cancelled" and not found.periods:
                self.end(found, found.until)
            elif found.status == "past_due" and self.law.now >= found.until + GRACE:
                self.end(found, found.until + GRACE)
        self.law.check()

    def end(self, found: Subscription, at: int) -> None:
        found.status, found.until = "expired", at
        self.law.over[found.user] = self.law.live.pop(found.user)

    # Payments

    def pending(self, user: str, *purposes: str) -> list[Payment]:
        found = [p for p in self.payments.values() if p.user == user and p.status == "pending"]
        return [p for p in found if p.purpose in (purposes or ("new", "renewal", "upgrade"))]

    def open(self, name: str, user: str, purpose: str, plan: str, amount: int, currency: str) -> None:
        """Make a payment. Credit lowers it to the least that a QR can ask for, or pays for all without a QR."""
        older = [] if purpose == "one_off" else self.pending(user, purpose)
        credit = self.credit(user, currency) + sum(p.credit for p in older if p.currency == currency)
        # Decision: a new subscription always has a QR, so that a person agrees to it by paying.
        covered = purpose in ("renewal", "upgrade") and amount <= credit
        if amount < LEAST[currency] and not covered:
            raise Refused("a QR can't ask for that little")
        for one in older:
            self.close(one.name, "superseded")
        used = amount if covered else 0 if purpose == "one_off" else min(credit, amount - LEAST[currency])
        price = self.plans[plan][0] if plan else amount
        version = self.law.live[user].version if purpose == "upgrade" else -1
        payment = Payment(name, user, purpose, plan, price, amount - used, currency, self.law.now, used, version)
        self.payments[name] = payment
        self.law.move(("credit", user, currency), ("set aside", name), used)
        if covered:
            payment.status = "paid"
            self.apply(payment, "")
        self.law.check()

    def close(self, name: str, status: str) -> None:
        payment, aside = self.payments[name], ("set aside", name)
        payment.status = status
        # Decision: all of it goes back to where it stood in the order of the credit.
        self.law.move(aside, ("credit", payment.user, payment.currency), self.law.held(aside))

    def cancel_payment(self, name: str) -> None:
        if self.payments[name].status != "pending":
            raise Refused("it isn't open")
        self.close(name, "cancelled")

    def one_off(self, name: str, user: str, amount: int, currency: str = "USD") -> None:
        self.open(name, user, "one_off", "", amount, currency)

    def buy(self, name: str, user: str, plan: str) -> None:
        if user in self.law.live:
            raise Refused("renew, upgrade, downgrade or resume")
        self.open(name, user, "new", plan, *self.plans[plan])

    def renew(self, name: str, user: str) -> None:
        found = self.alive(user, "active", "past_due")
        if len(found.periods) > 2:
            raise Refused("two periods are paid ahead")
        self.open(name, user, "renewal", self.next_plan(found), *self.plans[self.next_plan(found)])

    def next_plan(self, found: Subscription) -> str:
        return found.scheduled or (found.periods[-1].plan if found.periods else found.plan)

    def make_again(self, renewals: list[Payment]) -> None:
        """Supersede renewals, and make each again as `name'` at the price of now, with the credit of now."""
        for payment in renewals:
            if payment.status == "pending":
                self.close(payment.name, "superseded")
            found = self.law.live.get(payment.user)
            if found and found.status in ("active", "past_due") and len(found.periods) < 3:
                price, currency = self.plans[self.next_plan(found)]
                # Decision: where credit pays for it all, nobody asked to spend it: the user asks for the renewal again.
                if self.credit(payment.user, currency) < price and price >= LEAST[currency]:
                    self.renew(payment.name + "'", payment.user)

    def can_apply(self, payment: Payment) -> bool:
        found = self.law.live.get(payment.user)
        if payment.purpose == "new":
            return not found
        return payment.purpose != "renewal" or not found or (found.status != "cancelled" and len(found.periods) < 3)

    def pay(self, name: str, amount: int | None = None, currency: str | None = None) -> None:
        """See money for a payment; without an amount, what its QR asks for."""
        payment, law = self.payments[name], self.law
        amount, currency = payment.amount if amount is None else amount, currency or payment.currency
        receipt = f"{name}/{len(payment.receipts) + 1}/{currency}"
        payment.receipts.append(receipt)
        law.received[receipt] = amount
        law.move("outside", ("review", receipt), amount, receipt)
        right = (amount, currency) == (payment.amount, payment.currency)
        in_time = payment.status in ("pending", "timeout") and law.now <= payment.opened + DEADLINE + LATE
        # Decision: late money needs the credit that was given back at the deadline. If it is spent, a person decides.
        missing = payment.credit - law.held(("set aside", name))
        if right and in_time and self.credit(payment.user, currency) >= missing and self.can_apply(payment):
            law.move(("credit", payment.user, currency), ("set aside", name), missing)
            payment.status = "paid"
            self.apply(payment, receipt)
        elif payment.status not in ("paid", "refunded"):
            self.close(name, "review")  # Decision: credit isn't kept aside while a person thinks
        law.check()

    def apply(self, payment: Payment, receipt: str) -> None:
        """Move a payment's credit and its money to what they buy."""
        law, user, found, payment.applied = self.law, payment.user, self.law.live.get(payment.user), receipt
        sources: list[tuple[Any, int]] = [
            (account, law.held(account)) for account in (("set aside", payment.name), ("review", receipt))
        ]
        if payment.purpose == "one_off":
            law.move(("review", receipt), "served", law.held(("review", receipt)))
        elif payment.purpose == "upgrade":
            if found and found.status in ("active", "past_due") and found.version == payment.version:
                # Decision: the needs are reckoned when the money is applied. What is over by then becomes credit.
                law.switch(found, payment.plan, payment.price, payment.name, sources)
                self.close_all(user, "superseded", "renewal")
            else:
                law.fill(user, {}, sources)  # it bought nothing
        else:
            if not found:
                found = law.live[user] = Subscription(user, payment.plan, law.now)
            period = Period(payment.plan, payment.price, found.until, found.until + PERIOD)
            found.periods.append(period)
            found.until, found.status, found.scheduled, found.version = period.end, "active", None, found.version + 1
            # Decision: where an operator accepts more than the price, the rest becomes credit.
            law.fill(user, {period: payment.price}, sources)
            found.plan = found.periods[0].plan
            law.serve(found)

    def close_all(self, user: str, status: str, *purposes: str) -> None:
        for payment in self.pending(user, *purposes):
            self.close(payment.name, status)

    def resolve(self, name: str, action: str, number: int = 1) -> None:
        """Decide about one receipt in review: accept, credit, return or not_ours."""
        payment, law = self.payments[name], self.law
        receipt = payment.receipts[number - 1]
        currency, amount = receipt.rsplit("/", 1)[1], law.held(("review", receipt))
        undecided = payment.status not in ("paid", "refunded")
        if not amount:
            raise Refused("it is decided already")
        if action == "accept":
            # Decision: money of another currency can't be in a period, so it can be credited or returned only.
            if not undecided or currency != payment.currency or not self.can_apply(payment):
                raise Refused("credit or return it")
            again = min(payment.credit - law.held(("set aside", name)), self.credit(payment.user, currency))
            law.move(("credit", payment.user, currency), ("set aside", name), again)
            payment.status = "paid"
            self.apply(payment, receipt)
        elif action == "credit":
            law.move(("review", receipt), ("credit", payment.user, currency), amount)
            payment.status, payment.applied = ("paid", receipt) if undecided else (payment.status, payment.applied)
        else:
            law.move(("review", receipt), "outside", amount)
            payment.status = payment.status if not undecided else "refunded" if action == "return" else "timeout"
        law.check()

    # Credit by an operator's hand

    def give(self, user: str, amount: int, currency: str = "USD") -> None:
        self.law.move("gift", ("credit", user, currency), amount, f"gift to {user}/{currency}")
        self.law.check()

    def remove(self, user: str, amount: int, currency: str = "USD") -> None:
        # Decision: credit that is set aside can't be removed; the payment has to be closed first.
        if amount > self.credit(user, currency):
            raise Refused("the user hasn't that much credit to spend")
        self.law.move(("credit", user, currency), "lost", amount)
        self.law.check()

    # Changes of plan, ends and refunds

    def price_plan(self, plan: str, price: int) -> None:
        self.plans[plan] = (price, self.plans[plan][1])

    def change(self, name: str, user: str, plan: str) -> int:
        """Change the plan at once, or open the payment `name` for it. Return the charge, or minus what is freed."""
        found, (price, currency) = self.alive(user, "active"), self.plans[plan]
        if plan == found.plan or currency != self.plans[found.plan][1]:
            raise Refused("it is that plan already, or another currency")
        difference = sum(self.law.needs(found, price).values()) - sum(self.held(user))
        # Decision: dearer than the present period's own terms; the least is compared before the credit is taken off.
        if difference >= LEAST[currency] and price > found.periods[0].price:
            if found.scheduled:
                raise Refused("take the scheduled change back first")
            self.open(name, user, "upgrade", plan, difference, currency)
            return difference
        self.law.switch(found, plan, price, "", [] if difference < 0 else None)
        self.close_all(user, "superseded", "renewal")
        self.law.check()
        return min(difference, 0)

    def schedule(self, user: str, plan: str) -> None:
        """Let the next period that isn't paid be of another plan; the plan of the last one takes it back."""
        found = self.alive(user, "active")
        if plan != found.periods[-1].plan and self.plans[plan][0] > found.periods[-1].price:
            raise Refused("upgrade instead")
        if self.plans[plan][1] != self.plans[found.plan][1]:
            raise Refused("the plans are not comparable")
        found.scheduled = None if plan == found.periods[-1].plan else plan
        self.make_again(self.pending(user, "renewal"))

    def cancel(self, user: str, now: bool = False) -> None:
        found = self.alive(user, "active", "past_due")
        self.close_all(user, "cancelled")
        found.status = "cancelled"
        if now or not found.periods:
            for period in found.periods:
                self.law.move(period, "lost", self.law.held(period))
            found.periods.clear()
            self.end(found, self.law.now)
        self.law.check()

    def resume(self, user: str) -> None:
        self.alive(user, "cancelled").status = "active"

    def refund(self, name: str, reverse: bool = False, part: int | None = None) -> None:
        payment, law = self.payments[name], self.law
        if payment.status != "paid" or not payment.applied:
            raise Refused("it isn't paid, or is refunded already, or credit paid for it all")
        left = self.refundable(name)
        if part is not None and not 0 < part <= left:
            raise Refused("so much isn't left")
        part = left if part is None else part
        payment.status = "refunded" if part == left else "paid"
        user, found = payment.user, law.live.get(payment.user)
        hit = [p for p in self.pending(user) if law.held(("set aside", p.name), payment.applied)]
        # Decision: credit that no open payment is reduced by is enough for a part, where there is so much of it.
        hit = hit if part == left or law.held(credit_of(user, payment.applied), payment.applied) < part else []
        for one in hit:
            self.close(one.name, "superseded")
        held, plan = ({p: law.held(p) for p in found.periods}, found.plan) if found else ({}, "")
        law.give_back(payment.applied, reverse, part)
        if reverse and part == left:
            law.take_gift(payment.applied)
        if reverse and found and any(law.held(p) < value for p, value in held.items()):
            # Decision: a part leaves the plan in place, because the user has paid the other part of its price.
            law.time_follows_value(found, name if part == left else "a part", held)
            if not found.periods:
                self.close_all(user, "superseded")
                self.end(found, law.now)
            elif found.plan != plan:
                self.close_all(user, "superseded", "renewal")
        self.make_again([p for p in hit if p.purpose == "renewal"])
        law.check()
