"""A model of the law of value: every minor unit of every payment is in exactly one place. `shop.py` has the requests.
Moments are whole seconds, money is whole minor units. "Decision" marks a choice that the law itself leaves open."""

from collections import defaultdict
from fractions import Fraction
from math import floor
from typing import Any

from attrs import Factory, define

PERIOD, GRACE = 2_592_000, 259_200
MINTS = ("outside", "gift")  # the two accounts that value comes from; their balances may be below zero
TURNS = ("set aside", "credit", "lost", "held", "served")  # the order in which a refund takes a part of the money


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def split(amount: int, weights: list[int]) -> list[int]:
    """Split an amount in proportion to the weights, by largest remainder. Decision: the earlier one wins a tie."""
    quotas = [Fraction(amount * weight, sum(weights) or 1) for weight in weights]
    parts = [floor(quota) for quota in quotas]
    for place in sorted(range(len(weights)), key=lambda n: parts[n] - quotas[n])[: amount - sum(parts)]:
        parts[place] += 1
    return parts


def kind(account: Any) -> str:
    return "held" if isinstance(account, Period) else account if isinstance(account, str) else account[0]


def credit_of(user: str, origin: str) -> tuple[str, str, str]:
    return "credit", user, origin.rsplit("/", 1)[1]  # an origin ends with its currency


@define(eq=False)
class Period:
    """Is an account too. Its terms are those it was sold at, until its plan is changed."""

    plan: str
    price: int
    start: int  # for the present period, the moment up to which it is served
    end: int
    exact: Fraction = Fraction(0)  # the value that is left; the account holds it rounded


@define(eq=False)
class Subscription:
    user: str
    plan: str
    until: int  # the end of what is paid
    status: str = "active"
    periods: list[Period] = Factory(list)  # the present one and those paid ahead; none while past due
    scheduled: str | None = None
    version: int = 0  # rises with each change of plan, of paid periods, and at each boundary
    changes: list[Any] = Factory(
        list
    )  # for each its payment, and each period's plan, price, value and seconds left before


class Law:
    def __init__(self) -> None:
        self.now = 0
        # Decision: an origin keeps the place of its first arrival, so credit that was set aside comes back to it.
        self.at: dict[Any, dict[str, int]] = defaultdict(dict)  # account -> origin -> minor units
        self.received: dict[str, int] = {}
        self.live, self.over = dict[str, Subscription](), dict[str, Subscription]()

    def held(self, account: object, origin: str | None = None) -> int:
        return sum(value for name, value in self.at.get(account, {}).items() if origin in (None, name))

    def move(self, source: object, target: object, amount: int, origin: str | None = None) -> None:
        """Move value; without an origin, take the origins in the order in which they came in."""
        for name, held in [(origin, amount)] if origin else list(self.at[source].items()):
            amount -= (part := min(held, amount))
            for account, change in ((source, -part), (target, part)) if part else ():
                self.at[account][name] = self.at[account].get(name, 0) + change
                if isinstance(account, Period):
                    account.exact += change
        assert amount == 0, "an account can't give more than it holds"

    def fill(self, user: str, shorts: dict[Period, int], sources: list[tuple[object, int]]) -> None:
        """Fill what the periods are short of from each source in turn; the rest becomes credit."""
        for account, left in sources:
            for origin, held in list(self.at[account].items()):
                part = min(held, left)
                used = min(part, sum(shorts.values()))
                for period, share in zip(list(shorts), split(used, list(shorts.values())), strict=True):
                    self.move(account, period, share, origin)
                    shorts[period] -= share
                # Decision: what is freed of service that a refund left in place is the shop's again.
                self.move(account, "gift" if "gift for" in origin else credit_of(user, origin), part - used, origin)
                left -= part

    def level(self, found: Subscription, wanted: dict[Period, int], sources: list[tuple[object, int]]) -> None:
        """Bring each period to what it should hold, first from what other periods hold too much."""
        # Decision: a change that frees value does this too. The earliest excess fills, so credit comes from the later.
        over = [(p, self.held(p) - value) for p, value in wanted.items() if self.held(p) > value]
        shorts = {p: value - self.held(p) for p, value in wanted.items() if self.held(p) < value}
        self.fill(found.user, shorts, [*over, *sources])

    def places(self, origin: str) -> dict[str, int]:
        """Return what each place has of one origin, without the empty ones."""
        places: dict[str, int] = defaultdict(int)
        places["returned"] = self.received.get(origin, 0) + self.held("outside", origin)
        for account, origins in self.at.items():
            if account not in MINTS:
                places[kind(account)] += origins.get(origin, 0)
        return {place: amount for place, amount in places.items() if amount}

    def credit(self, user: str, currency: str = "USD") -> int:
        return self.held(("credit", user, currency))

    def subscription(self, user: str) -> Subscription:
        return self.live.get(user) or self.over[user]

    def entitled_until(self, user: str) -> int:
        found = self.subscription(user)
        return found.until + (GRACE if found.status == "past_due" else 0)

    def check(self) -> None:
        """Assert the law."""
        assert sum(self.held(account) for account in self.at) == 0, "value appeared or vanished"
        for origin, amount in self.received.items():
            assert sum(self.places(origin).values()) == amount, f"{origin} isn't in exactly one place"
        for account, origins in self.at.items():
            assert account in MINTS or min(origins.values(), default=0) >= 0, f"{account} is below zero"
            if isinstance(account, Period):
                assert self.held(account) == half_up(account.exact), f"{account} is wrong"
        for found in self.live.values():
            assert not found.periods or found.until == found.periods[-1].end
            assert [p.end for p in found.periods[:-1]] == [p.start for p in found.periods[1:]], "a gap in time"

    def serve(self, found: Subscription) -> None:
        """Serve up to now, and apply each boundary that is due."""
        while found.periods and found.periods[0].end <= self.now:
            period = found.periods.pop(0)
            self.move(period, "served", self.held(period))
            period.exact = Fraction(0)
            found.version += 1
            found.plan = found.periods[0].plan if found.periods else found.plan
        if found.periods:
            period = found.periods[0]
            left = period.exact * (period.end - self.now) / (period.end - period.start)
            # Decision: each change of plan adds digits to the fraction, so they are bounded; the first four stay exact.
            left = left.limit_denominator(10**30)
            self.move(period, "served", self.held(period) - half_up(left))
            period.exact, period.start = left, self.now
        elif found.status == "active":
            found.status = "past_due"

    def needs(self, found: Subscription, price: int) -> dict[Period, int]:
        return {p: half_up(Fraction(price * (p.end - p.start), PERIOD)) for p in found.periods}

    def switch(
        self, found: Subscription, plan: str, price: int, payment: str, sources: list[tuple[Any, int]] | None
    ) -> None:
        """Change the plan of all periods. Without sources nothing moves: the difference is waived."""
        found.changes.append((payment, {p: (p.plan, p.price, self.held(p), p.end - p.start) for p in found.periods}))
        if sources is not None:
            self.level(found, self.needs(found, price), sources)
        for period in found.periods:
            period.plan, period.price = plan, price
        found.plan, found.scheduled, found.version = plan, None, found.version + 1

    def give_back(self, origin: str, reverse: bool, most: int) -> None:
        """Return money of one origin to the payer; what can't be taken back is from now on the shop's gift."""
        # Decision: of a part, credit goes first, then what is lost (it isn't served), then periods, the last one first.
        found = [(TURNS.index(kind(account)), account) for account in self.at if kind(account) in TURNS]
        for _, account in sorted(found, key=lambda one: (one[0], -one[1].end if isinstance(one[1], Period) else 0)):
            most -= (amount := min(most, self.held(account, origin)))
            self.move(account, "outside", amount, origin)
            if account == "served" or (isinstance(account, Period) and not reverse):
                self.move("gift", account, amount, f"gift for {origin}")

    def take_gift(self, origin: str) -> None:
        """Reverse a refund that left the service in place: take back what it had made the shop's gift."""
        for account in [each for each in self.at if each not in (*MINTS, "served")]:
            self.move(account, "gift", self.held(account, f"gift for {origin}"), f"gift for {origin}")

    def time_follows_value(self, found: Subscription, payment: str, held: dict[Period, int]) -> None:
        """Undo the change of plan that a refunded payment paid for, or cut the time of the periods that lost value."""
        # Decisions: "before" means for the time that is left, all periods together; an undone change is none any more.
        changed_by, then = found.changes[-1] if found.changes else ("", {})
        before = {p: then[p] for p in found.periods if p in then}
        own = {p: half_up(Fraction(value * (p.end - p.start), seconds)) for p, (_, _, value, seconds) in before.items()}
        if payment == changed_by and sum(own.values()) <= sum(self.held(p) for p in own):
            self.level(found, own, [])  # Decision: other money that the change had used becomes credit again
            for period, terms in before.items():
                period.plan, period.price = terms[:2]
            found.changes.pop()
        else:
            own = {}
        start = self.now
        for period in list(found.periods):
            length, left = period.end - period.start, self.held(period)
            if period not in own and left < held[period]:
                length = length * left // held[period]
            period.start, period.end, start = start, start + length, start + length
            if not length:
                self.move(period, "served", left)
                found.periods.remove(period)
        found.until, found.version = start, found.version + 1
        found.plan = found.periods[0].plan if found.periods else found.plan
