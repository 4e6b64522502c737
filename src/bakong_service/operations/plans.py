"""Selling plans: the ones that the shop starts with, and new versions of them."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from bakong_service.domain.errors import Fault, Invalid
from bakong_service.domain.plan import DEFAULT_PLANS, Plan, PlanTerms
from bakong_service.operations.business import Business
from bakong_service.storage import audit, plans


def ensure_defaults(
    connection: Connection, business: Business, terms: Iterable[PlanTerms] | None = None, *, now: datetime
) -> None:
    """Make the plans that the shop starts with. Run at every start; does nothing where nothing changed.

    `terms` are a plans file's: each becomes the newest version of its plan, whatever was said through the API since.
    Without a file the two default plans are made where they don't exist. Raises `Invalid` as `offer` does.
    """
    if terms is None:
        terms = [plan for plan in DEFAULT_PLANS if plans.latest(connection, plan.code) is None]
    for plan in terms:
        offer(connection, business, plan, actor="system:start", now=now)


def offer(connection: Connection, business: Business, terms: PlanTerms, *, actor: str, now: datetime) -> Plan:
    """Sell a plan on these terms from now on: its first version, its next, or the one that says so already.

    Subscriptions keep what they paid for; a renewal is asked for at the newest price. Raises `Invalid` where currency
    or period differ from the plan's earlier versions, or the price is below the least that can be charged.
    """
    least = business.subscriptions.least_charge[terms.price.currency]
    if terms.price.minor < least:
        rule = f"is {terms.price} {terms.price.currency}; a QR asks for at least {least} in the currency's least unit"
        raise Invalid("invalid_plan", f"price {rule}", (Fault("/amount", "too_small", rule),))
    plans.lock(connection)
    newest = plans.latest(connection, terms.code)
    if newest is not None:
        if newest.terms == terms:
            return newest
        for name, before, after in (
            ("currency", newest.price.currency, terms.price.currency),
            ("period", newest.period, terms.period),
        ):
            if before != after:
                rule = f"{name} of {terms.code} is {before} and stays so (here: {after}); sell it by another code"
                raise Invalid("invalid_plan", rule, (Fault(f"/{name}", "may_not_change", rule),))
    plan = Plan(
        id=business.identifiers.number(now),
        code=terms.code,
        version=1 if newest is None else newest.version + 1,
        name=terms.name,
        price=terms.price,
        period=terms.period,
        created_at=now,
    )
    plans.add(connection, plan)
    audit.write(
        connection,
        business.identifiers,
        action="plan.offered",
        actor=actor,
        subject=terms.code,
        details={"version": plan.version, "price": str(plan.price), "currency": plan.price.currency},
        now=now,
    )
    return plan
