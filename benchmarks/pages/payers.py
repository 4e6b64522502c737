"""Payers that are assumed, not measured: what each does at the page of a payment, and when.

Seven of ten pay. The time from opening the page to the transfer is log-normal around 25 s. Three of four have the page
on the phone with which they pay: they leave it for the bank app, and most come back when they have paid. The others
have it on a second screen, where it stays visible, and half of them say "I have paid". Some close the page and pay
later.
"""

import math
import random
from enum import StrEnum

from attrs import field, frozen

CODE_LIVES_SECONDS = 600.0


class Act(StrEnum):
    """What a payer does."""

    OPEN = "open"  # the page
    LINK = "link"  # press the button that opens a bank app
    LEAVE = "leave"  # the page is hidden behind the bank app
    RETURN = "return"  # the page is visible again
    PRESS = "press"  # press "I have paid"
    CLOSE = "close"  # the page
    PAY = "pay"


@frozen
class Deed:
    """One act, and how many seconds after the payment was made it is done."""

    after: float
    act: Act


@frozen(kw_only=True)
class Habits:
    """The shares (0 to 1) and times of the model."""

    pays: float = 0.7
    pays_after_seconds: float = 25.0  # the median, from the opening of the page
    on_one_phone: float = 0.75  # the page is on the phone that has the bank app
    by_link: float = 0.0  # of those on one phone: the others scan a picture of the code, which costs no call
    returns: float = 0.85  # of those on one phone who pay
    returns_after_seconds: float = 5.0  # the median, from the transfer
    looks_back_early: float = 0.0  # of those on one phone: they return once before they have paid
    presses: float = 0.5  # of those with a second screen who pay: they say "I have paid"
    pays_later: float = 0.06  # of those who pay: they close the page and pay minutes later
    opens_again: float = 0.4  # of those: they open the page again


def _in_order(deeds: list[Deed]) -> list[Deed]:
    return sorted(deeds, key=lambda deed: deed.after)


@frozen
class Payer:
    """What one payer does, in order."""

    deeds: list[Deed] = field(converter=_in_order)

    @property
    def pays_after(self) -> float | None:
        """Seconds from the making of the payment to the transfer; None if this payer never pays."""
        return next((deed.after for deed in self.deeds if deed.act is Act.PAY), None)


def payer(rng: random.Random, habits: Habits) -> Payer:
    """Return the next payer."""
    opened = rng.uniform(1, 4)
    return Payer([Deed(opened, Act.OPEN), *_deeds(rng, habits, opened)])


def _deeds(rng: random.Random, habits: Habits, opened: float) -> list[Deed]:
    """Return what the payer does after opening the page."""
    on_one_phone = rng.random() < habits.on_one_phone
    if rng.random() >= habits.pays:
        return _without_paying(rng, habits, opened, on_one_phone)
    if rng.random() < habits.pays_later:
        return _later(rng, habits, opened)
    paid = opened + _around(rng, habits.pays_after_seconds, 0.8, at_most=CODE_LIVES_SECONDS - opened - 5)
    deeds = [Deed(paid, Act.PAY), Deed(paid + 300, Act.CLOSE)]
    if on_one_phone:
        deeds += _on_one_phone(rng, habits, opened, paid)
    elif rng.random() < habits.presses:
        deeds.append(Deed(paid + rng.uniform(2, 8), Act.PRESS))
    return deeds


def _on_one_phone(rng: random.Random, habits: Habits, opened: float, paid: float) -> list[Deed]:
    """Leave for the bank app, perhaps look at the page in between, pay, and come back or not."""
    left = opened + (paid - opened) * rng.uniform(0.2, 0.4)
    deeds = [Deed(left, Act.LEAVE)]
    if rng.random() < habits.by_link:
        deeds.append(Deed(left - 0.2, Act.LINK))
    if rng.random() < habits.looks_back_early:
        deeds.append(Deed(left + (paid - left) * 0.4, Act.RETURN))
        deeds.append(Deed(left + (paid - left) * 0.6, Act.LEAVE))
    if rng.random() < habits.returns:
        deeds.append(Deed(paid + _around(rng, habits.returns_after_seconds, 0.6, at_most=300), Act.RETURN))
    return deeds


def _later(rng: random.Random, habits: Habits, opened: float) -> list[Deed]:
    """Keep the picture, close the page, and pay within the life of the code."""
    paid = opened + _around(rng, 150, 0.6, at_most=CODE_LIVES_SECONDS - opened - 5)
    deeds = [Deed(opened + 10, Act.CLOSE), Deed(paid, Act.PAY)]
    if rng.random() < habits.opens_again:
        deeds.append(Deed(paid + rng.uniform(5, 60), Act.OPEN))
    return deeds


def _without_paying(rng: random.Random, habits: Habits, opened: float, on_one_phone: bool) -> list[Deed]:
    """Look at the page and give up.

    One in ten opens the page once more, and one in twenty says "I have paid" without having paid. `looks_back_early`
    counts double: they look at their bank app, and come back to the page.
    """
    closed = opened + _around(rng, 60, 1.0, at_most=1200)
    deeds = [Deed(closed, Act.CLOSE)]
    if on_one_phone and rng.random() < 2 * habits.looks_back_early:
        deeds.append(Deed(opened + (closed - opened) * 0.3, Act.LEAVE))
        deeds.append(Deed(opened + (closed - opened) * 0.6, Act.RETURN))
    if rng.random() < 0.1:
        deeds.append(Deed(closed + 120, Act.OPEN))
    if rng.random() < 0.05:
        deeds.append(Deed(opened + (closed - opened) * 0.9, Act.PRESS))
    return deeds


def _around(rng: random.Random, median: float, sigma: float, *, at_most: float) -> float:
    """Return a log-normal number of seconds, drawn again while it is above `at_most`."""
    while (drawn := rng.lognormvariate(math.log(median), sigma)) > at_most:
        pass
    return drawn
