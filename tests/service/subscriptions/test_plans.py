"""Plans: where they come from, what they cost from when on, and a plans file that can't be misread."""

import json
from pathlib import Path
from typing import Any

import pytest

from bakong_khqr.money import Currency
from bakong_service.domain.cadence import Cadence
from bakong_service.domain.errors import Invalid
from bakong_service.domain.money import EXPONENTS, LEAST, Money
from bakong_service.domain.plan import DEFAULT_PLANS, PlanTerms
from bakong_service.operations.subscriptions import plans
from bakong_service.operations.subscriptions.plans_file import PlansFileError, read_plans
from bakong_service.storage import audit
from bakong_service.storage.subscriptions import plans as rows
from kit.there import there
from kit.till import Till

PREMIUM = {"code": "PREMIUM", "name": "Premium", "price": "0.50", "currency": "USD"}


def terms(price: int = 50, currency: str = "USD", code: str = "NEW", days: int = 30) -> PlanTerms:
    return PlanTerms(code=code, name="New", price=Money(price, currency), cadence=Cadence.stated(period_days=days))


@pytest.mark.anyio
async def test_a_price_change_is_a_new_version_and_the_old_one_stays(desk: Till) -> None:
    first = await desk.do(plans.offer, terms(50), actor="api:test")
    second = await desk.do(plans.offer, terms(60), actor="api:test")
    assert (first.version, second.version) == (1, 2)
    assert await desk.read(rows.of_version, "NEW", 1) == first
    assert await desk.read(rows.latest, "NEW") == second
    assert second in await desk.read(rows.every_latest)
    lines = await desk.read(audit.page, limit=9, subject="NEW")
    assert [(line.action, line.actor) for line in lines] == [("plan.offered", "api:test")] * 2


@pytest.mark.anyio
async def test_the_same_terms_again_change_nothing(desk: Till) -> None:
    first = await desk.do(plans.offer, terms(50), actor="api:test")
    assert await desk.do(plans.offer, terms(50), actor="api:test") == first


@pytest.mark.anyio
@pytest.mark.parametrize("other", [terms(2000, "KHR"), terms(days=31)], ids=["currency", "period"])
async def test_currency_and_period_of_a_plan_stay(desk: Till, other: PlanTerms) -> None:
    await desk.do(plans.offer, terms(), actor="api:test")
    with pytest.raises(Invalid, match=r"of NEW is .* and can't become") as refused:
        await desk.do(plans.offer, other, actor="api:test")
    assert refused.value.faults[0].pointer in ("/currency", "/period")


@pytest.mark.anyio
async def test_a_price_that_no_qr_can_ask_for_is_refused(desk: Till) -> None:
    with pytest.raises(Invalid, match="at least 100"):
        await desk.do(plans.offer, terms(99, "KHR"), actor="api:test")


@pytest.mark.anyio
async def test_the_default_plans_are_made_once_and_never_set_back(desk: Till) -> None:
    await desk.do(plans.ensure_defaults)
    dearer = PlanTerms(code="PREMIUM", name="Premium", price=Money(75, "USD"))
    await desk.do(plans.offer, dearer, actor="api:test")
    await desk.do(plans.ensure_defaults)
    assert there(await desk.read(rows.latest, "PREMIUM")).price == Money(75, "USD")
    assert [plan.price for plan in DEFAULT_PLANS] == [Money(50, "USD"), Money(100, "USD")]


@pytest.mark.anyio
async def test_a_plans_file_has_the_last_word(desk: Till) -> None:
    await desk.do(plans.offer, terms(75), actor="api:test")
    await desk.do(plans.ensure_defaults, [terms(50)])
    assert there(await desk.read(rows.latest, "NEW")).price == Money(50, "USD")


@pytest.mark.anyio
async def test_an_unknown_plan_is_none(desk: Till) -> None:
    assert await desk.read(rows.latest, "NOTHING") is None
    assert await desk.read(rows.of_version, "PREMIUM", 9) is None


@pytest.mark.anyio
async def test_two_starts_at_once_make_one_version(desk: Till) -> None:
    import anyio

    async def start() -> None:
        await desk.do(plans.ensure_defaults, [terms()])

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(start)
    assert there(await desk.read(rows.latest, "NEW")).version == 1


def test_a_plans_file_in_toml_and_in_json_say_the_same(tmp_path: Path) -> None:
    toml, as_json = tmp_path / "plans.toml", tmp_path / "plans.json"
    toml.write_text(
        '[[plans]]\ncode = "PREMIUM"\nname = "Premium"\nprice = "0.50"\ncurrency = "USD"\n'
        '[[plans]]\ncode = "YEAR_KHR"\nname = "ប្រចាំឆ្នាំ"\nprice = "20000"\ncurrency = "KHR"\nperiod_days = 365\n',
        encoding="utf-8",
    )
    year = {"code": "YEAR_KHR", "name": "ប្រចាំឆ្នាំ", "price": "20000", "currency": "KHR", "period_days": 365}
    as_json.write_text(json.dumps({"plans": [PREMIUM, year]}), encoding="utf-8")
    expected = (
        PlanTerms(code="PREMIUM", name="Premium", price=Money(50, "USD")),
        PlanTerms(code="YEAR_KHR", name="ប្រចាំឆ្នាំ", price=Money(20000, "KHR"), cadence=Cadence.stated(period_days=365)),
    )
    assert read_plans(toml) == read_plans(as_json) == expected


@pytest.mark.parametrize("days", [1, 30, 3660])
def test_a_cadence_is_stored_and_read_back(days: int) -> None:
    cadence = Cadence.stated(period_days=days)
    assert cadence.stored == f"PT{days * 86_400}S"
    assert Cadence.from_stored(cadence.stored) == cadence


@pytest.mark.parametrize("days", [-1, 0, 3661, 10**12])
def test_a_cadence_that_no_plan_may_have_is_refused(days: int) -> None:
    with pytest.raises(ValueError, match=r"^period"):
        Cadence.stated(period_days=days)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Expecting"),
        ("[]", "it takes one member, `plans`"),
        ('{"plans": []}', "at least one plan"),
        ('{"plans": [1]}', "plan 1 is 1; it takes an object"),
        ({"plan": "X"}, "plan is unknown; the members are code, name, price, currency, period_days"),
        ({"code": None}, "code is null; it takes a string"),
        ({"price": 0.5}, "price is 0.5; it takes a string"),
        ({"period_days": True}, "period_days is true; it takes a whole number"),
        ({"price": "1e2"}, "amount '1e2'"),
        ({"price": "0.505"}, "0.505"),
        ({"price": "0"}, "it is more than zero"),
        ({"currency": "EUR"}, "currency is EUR; it takes KHR or USD"),
        ({"code": "premium"}, "code is 'premium'; it takes 1 to 32 of A-Z, 0-9 and _"),
        ({"name": " "}, "name is ' '; it must have 1 to 64 characters"),
        ({"period_days": 0}, "period is 0:00:00; it takes whole seconds, from 1 hour"),
        ({"period_days": 10**12}, "plan 1: "),
    ],
)
def test_a_plans_file_that_cant_be_used_says_why(tmp_path: Path, content: str | dict[str, Any], message: str) -> None:
    path = tmp_path / "plans.json"
    text = content if isinstance(content, str) else json.dumps({"plans": [{**PREMIUM, **content}]})
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PlansFileError) as refused:
        read_plans(path)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_plans_file_with_a_member_missing_or_a_plan_twice_says_which(tmp_path: Path) -> None:
    path = tmp_path / "plans.json"
    path.write_text(json.dumps({"plans": [{"code": "A"}]}), encoding="utf-8")
    with pytest.raises(PlansFileError, match="name, price, currency is missing"):
        read_plans(path)
    path.write_text(json.dumps({"plans": [PREMIUM, PREMIUM]}), encoding="utf-8")
    with pytest.raises(PlansFileError, match="PREMIUM is listed more than once"):
        read_plans(path)


def test_a_plans_file_that_isnt_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(PlansFileError, match=r"none\.toml"):
        read_plans(tmp_path / "none.toml")


def test_every_currency_of_khqr_has_a_smallest_amount() -> None:
    assert set(LEAST) == set(EXPONENTS) == set(Currency)
