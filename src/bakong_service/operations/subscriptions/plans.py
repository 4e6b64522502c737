"""Puts plans on sale: the first plans of the shop, new versions of them; and withdraws plans from sale."""

from collections.abc import Iterable
from pathlib import Path

from attrs import evolve

from bakong_service.domain.errors import Conflict, Fault, Invalid, NotFound
from bakong_service.domain.money import Money
from bakong_service.domain.plan import DEFAULT_PLANS, Plan, PlanTerms
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.subscriptions import plans


def ensure_defaults(work: UnitOfWork, terms: Iterable[PlanTerms] | None = None) -> None:
    """Make the plans that the shop starts with. The service does this at every start.

    `terms` are the plans of a plans file: each becomes the newest version of its plan, and every other plan is
    withdrawn from sale. Without a file, the two default plans are made unless they exist. Raises as `offer` does.
    """
    work = evolve(work, actor="system:start")
    if terms is None:
        for plan in DEFAULT_PLANS:
            if plans.latest(work.connection, plan.code) is None:
                offer(work, plan)
        return
    listed = {plan.code: plan for plan in terms}
    for plan in listed.values():
        offer(work, plan)
    for sold in plans.on_sale(work.connection):
        if sold.code not in listed:
            withdraw(work, sold.code)


def offer(work: UnitOfWork, terms: PlanTerms) -> Plan:
    """Sell a plan on these terms from now on. New terms make a new version, and a withdrawn plan is on sale again.

    Subscriptions keep what they paid for, and their renewals have the newest price. Raises `Invalid` if the currency
    or the period differs from the plan's earlier versions, or if a QR can't ask for so small a price.
    """
    least = work.business.subscriptions.least_charge[terms.price.currency]
    if terms.price.minor < least:
        smallest = Money(least, terms.price.currency)
        rule = f"the price is {terms.price} {terms.price.currency}; it takes at least {smallest}, as a QR does"
        raise Invalid("invalid_plan", rule, (Fault("/amount", "too_small", rule),))
    plans.lock(work.connection)
    newest = plans.latest(work.connection, terms.code)
    if newest is not None:
        if newest.terms == terms:
            if plans.put_on_sale(work.connection, terms.code):
                _audit(work, "plan.offered", newest)
            return newest
        for name, before, after in (
            ("currency", newest.price.currency, terms.price.currency),
            ("period", newest.cadence, terms.cadence),
        ):
            if before != after:
                rule = f"the {name} of {terms.code} is {before} and can't become {after}; sell it under another code"
                raise Invalid("invalid_plan", rule, (Fault(f"/{name}", "may_not_change", rule),))
    plan = Plan(
        id=work.number(),
        code=terms.code,
        version=1 if newest is None else newest.version + 1,
        name=terms.name,
        price=terms.price,
        cadence=terms.cadence,
        created_at=work.now,
    )
    plans.add(work.connection, plan)
    plans.put_on_sale(work.connection, plan.code)
    _audit(work, "plan.offered", plan)
    return plan


def withdraw(work: UnitOfWork, code: str) -> Plan:
    """Withdraw a plan from sale: nobody can start it or change to it any more. Return its newest version.

    Users who have the plan keep it and can renew it. Its open payments can still be paid. Raises `NotFound`.
    """
    plans.lock(work.connection)
    plan = plans.latest(work.connection, code)
    if plan is None:
        raise NotFound("plan_not_found", f"there is no plan {code[:64]}")
    if plans.withdraw(work.connection, code, now=work.now):
        _audit(work, "plan.withdrawn", plan)
    return plan


def check_on_sale(work: UnitOfWork, plan: Plan) -> None:
    """Raise `Conflict` if a user who doesn't have the plan can't get it."""
    if plan.code in plans.withdrawn(work.connection):
        raise Conflict("plan_withdrawn", f"the plan {plan.code} is withdrawn from sale; {_choice(work)}")


def unknown(work: UnitOfWork, code: str) -> Invalid:
    """Return the refusal of a request for a plan that doesn't exist."""
    return Invalid.at("/plan", "unknown_plan", f"there is no plan {code}; {_choice(work)}")


def _choice(work: UnitOfWork) -> str:
    codes = ", ".join(sold.code for sold in plans.on_sale(work.connection))
    return f"the plans are {codes}" if codes else "no plan is on sale"


def check_not_from_file(plans_file: Path | None) -> None:
    """Raise `Conflict` if a plans file says what is sold, because the next start would undo any other change."""
    if plans_file is not None:
        raise Conflict(
            "kept_by_plans_file",
            f"PLANS_FILE decides what is on sale: change {plans_file}, and restart every process of the service",
        )


def _audit(work: UnitOfWork, action: str, plan: Plan) -> None:
    details = {"version": plan.version, "price": str(plan.price), "currency": plan.price.currency}
    work.audit(action, plan.code, details=details)
