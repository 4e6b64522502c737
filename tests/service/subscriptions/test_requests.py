"""Every request in every status, on both databases: done, or refused with the code that says what to do instead."""

from datetime import timedelta

import pytest

from bakong_service.domain.errors import Refused
from bakong_service.domain.payment import NewPayment
from bakong_service.operations.payments import requests as payments
from bakong_service.operations.subscriptions import cancelling, plan_changes, renewing
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio

STATUSES = ("none", "active", "past_due", "cancelled", "expired")


async def people(desk: Till) -> dict[str, str]:
    """A user in each status, now; the reference of their subscription by status."""
    today = desk.now
    ages = {"expired": 40, "past_due": 31, "cancelled": 10, "active": 10}
    for status, age in ages.items():
        desk.at(today - timedelta(days=age))
        subscription = await desk.subscribe("FAMILY_PREMIUM", user=status)
        if status == "cancelled":
            await desk.do(cancelling.cancel, subscription.reference, at_once=False, reason=None, actor="api:test")
    desk.at(today)
    found = {status: (await desk.tick(status)) for status in ages}
    assert {status: subscription.status.value for status, subscription in found.items()} == {s: s for s in ages}
    return {status: subscription.reference for status, subscription in found.items()} | {"none": "sub_unknown"}


async def buy(desk: Till, user: str, plan: str) -> str:
    request = NewPayment(user_id=user, plan=plan)
    return str((await desk.rehearse(payments.create, request, actor="api:test")).purpose)


async def ask(desk: Till, reference: str, request: str, plan: str | None = None) -> str:
    actor = "api:test"
    match request:
        case "renew":
            return str(there((await desk.rehearse(renewing.renew, reference, actor=actor)).payment).purpose)
        case "upgrade":
            return str(there((await desk.rehearse(plan_changes.upgrade, reference, plan, actor=actor)).payment).purpose)
        case "preview":
            quote = await desk.rehearse(plan_changes.preview_upgrade, reference, plan)
            return "of " + str(quote.from_plan)
        case "downgrade" | "downgrade now":
            at_once = request != "downgrade"
            after = await desk.rehearse(plan_changes.downgrade, reference, plan, at_once=at_once, actor=actor)
            return f"{after.plan.code} {after.scheduled_plan and after.scheduled_plan.code}"
        case "cancel" | "cancel now":
            at_once = request != "cancel"
            after = await desk.rehearse(cancelling.cancel, reference, at_once=at_once, reason=None, actor=actor)
            return str(after.status)
        case _:
            return str((await desk.rehearse(cancelling.resume, reference, actor=actor)).status)


GONE = "no_such_subscription"
# request, plan, then what comes of it with: no subscription, active, past_due, cancelled, expired
TABLE = [
    ("buy", "FAMILY_PREMIUM", ("new", "renewal", "renewal", "resume_instead", "new")),
    ("buy", "BUSINESS", ("new", "upgrade_instead", "upgrade_instead", "resume_instead", "new")),
    ("buy", "PREMIUM", ("new", "downgrade_instead", "downgrade_instead", "resume_instead", "new")),
    ("buy", "FULL_KHR", ("new", "plan_not_comparable", "plan_not_comparable", "resume_instead", "new")),
    ("buy", "YEAR", ("new", "plan_not_comparable", "plan_not_comparable", "resume_instead", "new")),
    ("buy", "NOTHING", ("unknown_plan",) * 5),
    ("renew", None, (GONE, "renewal", "renewal", "resume_instead", "subscription_over")),
    ("upgrade", "BUSINESS", (GONE, "upgrade", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("upgrade", "FAMILY_PREMIUM", (GONE, "same_plan", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("upgrade", "PREMIUM", (GONE, "downgrade_instead", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("upgrade", "FULL_KHR", (GONE, "plan_not_comparable", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("upgrade", "NOTHING", (GONE, "unknown_plan", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("preview", "BUSINESS", (GONE, "of FAMILY_PREMIUM", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("downgrade", "PREMIUM", (GONE, "FAMILY_PREMIUM PREMIUM", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("downgrade", "FAMILY_PREMIUM", (GONE, "same_plan", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("downgrade", "BUSINESS", (GONE, "upgrade_instead", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("downgrade", "YEAR", (GONE, "plan_not_comparable", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("downgrade now", "PREMIUM", (GONE, "PREMIUM None", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("downgrade now", "BUSINESS", (GONE, "upgrade_instead", "renewal_unpaid", "resume_instead", "subscription_over")),
    ("cancel", None, (GONE, "cancelled", "expired", "already_cancelled", "subscription_over")),
    ("cancel now", None, (GONE, "expired", "expired", "already_cancelled", "subscription_over")),
    ("resume", None, (GONE, "not_cancelled", "not_cancelled", "active", "subscription_over")),
]  # fmt: skip


async def come_of(desk: Till, request: str, plan: str | None, user: str, reference: str) -> str:
    try:
        return await (buy(desk, user, str(plan)) if request == "buy" else ask(desk, reference, request, plan))
    except Refused as refused:
        return refused.code


async def test_every_request_in_every_status(desk: Till) -> None:
    references = await people(desk)
    found = [
        (request, plan, tuple([await come_of(desk, request, plan, status, references[status]) for status in STATUSES]))
        for request, plan, _ in TABLE
    ]
    assert found == TABLE


async def test_a_refused_purchase_says_what_to_do_first(desk: Till) -> None:
    subscription = await desk.subscribe()
    reference = subscription.reference
    with pytest.raises(Refused, match=f"of {reference}, PREMIUM, has another currency or period than FULL_KHR"):
        await buy(desk, "u1", "FULL_KHR")
    await desk.do(cancelling.cancel, reference, at_once=False, reason=None, actor="api:test")
    with pytest.raises(Refused, match=f"hasn't ended: POST /v1/subscriptions/{reference}/resume first"):
        await buy(desk, "u1", "PREMIUM")


async def test_a_refused_change_of_plan_names_the_request_that_is_right(desk: Till) -> None:
    reference = (await desk.subscribe("FAMILY_PREMIUM")).reference
    path = f"POST /v1/subscriptions/{reference}"
    for request, plan, advice in (
        ("upgrade", "FAMILY_PREMIUM", f"{reference} has the plan FAMILY_PREMIUM already"),
        ("upgrade", "PREMIUM", f"PREMIUM doesn't cost more than FAMILY_PREMIUM: {path}/downgrade"),
        ("downgrade", "BUSINESS", f"BUSINESS costs more than FAMILY_PREMIUM: {path}/upgrade"),
    ):
        with pytest.raises(Refused, match=f"^{advice}$"):
            await ask(desk, reference, request, plan)


async def test_a_user_with_a_scheduled_downgrade_renews_the_cheaper_plan(desk: Till) -> None:
    subscription = await desk.subscribe("FAMILY_PREMIUM")
    await desk.do(plan_changes.downgrade, subscription.reference, "PREMIUM", at_once=False, actor="api:test")
    assert await buy(desk, "u1", "PREMIUM") == "renewal"
    with pytest.raises(Refused, match="changes to PREMIUM") as refused:
        await buy(desk, "u1", "FAMILY_PREMIUM")
    assert refused.value.code == "downgrade_scheduled"


async def test_a_plan_of_the_same_price_is_changed_to_as_to_a_cheaper_one(desk: Till) -> None:
    from bakong_service.domain.money import Money
    from bakong_service.domain.plan import PlanTerms
    from bakong_service.operations.subscriptions import plans

    subscription = await desk.subscribe()
    await desk.do(plans.offer, PlanTerms(code="TWIN", name="Twin", price=Money(50, "USD")), actor="api:test")
    for refused in (buy(desk, "u1", "TWIN"), ask(desk, subscription.reference, "upgrade", "TWIN")):
        with pytest.raises(Refused, match="downgrade") as raised:
            await refused
        assert raised.value.code == "downgrade_instead"
    await desk.do(plan_changes.downgrade, subscription.reference, "TWIN", at_once=False, actor="api:test")
    assert there((await desk.of()).scheduled_plan).code == "TWIN"
    await desk.do(plan_changes.downgrade, subscription.reference, "TWIN", at_once=True, actor="api:test")
    assert ((await desk.of()).plan.code, await desk.credit()) == ("TWIN", 0)
