"""The stories in which value used to appear or to vanish, played over HTTP with the test clock and the simulator.

Each line of a story is a request, or what an answer must then be. Prices are dollars for 30 days. Time stands still but
for `wait`, so that every amount and every `entitled_until` is exact.
"""

from collections import Counter
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import count
from typing import Any

import httpx
import pytest

from bakong_service.web.http.service import Service
from bakong_service.workers.watcher import Settlement
from kit.clocks import BEGIN
from kit.service import ServiceOf

pytestmark = pytest.mark.anyio

DAY = 86_400

STORIES = {
    "a dearer period that is paid ahead frees its value": """
        offer PREMIUM 0.50
        buy first PREMIUM
        offer PREMIUM 5.00
        buy second PREMIUM
        change FAMILY_PREMIUM
        credit 3.50
        value first periods 0.50
        value second periods 1.50 credit 3.50
        until 60""",
    "an upgrade that was refunded costs the same again": """
        buy first PREMIUM
        offer PREMIUM 0.80
        buy second PREMIUM
        upgrade third FAMILY_PREMIUM 0.70
        pay third
        plan FAMILY_PREMIUM
        refund third reverse
        plan PREMIUM
        value third returned 0.70
        upgrade fourth FAMILY_PREMIUM 0.70
        until 60""",
    "a cheap period moves up for a refunded one and keeps its value": """
        offer BASIC 0.10
        buy first FAMILY_PREMIUM
        buy second FAMILY_PREMIUM
        offer FAMILY_PREMIUM 0.20
        buy third FAMILY_PREMIUM
        refund second reverse
        until 60
        change BASIC
        credit 1.00
        value second returned 1.00""",
    "a dear period moves up for a refunded one and keeps its value": """
        offer BASIC 0.10
        offer FAMILY_PREMIUM 0.20
        buy first FAMILY_PREMIUM
        buy second FAMILY_PREMIUM
        offer FAMILY_PREMIUM 1.00
        buy third FAMILY_PREMIUM
        refund second reverse
        until 60
        change BASIC
        credit 1.00
        value second returned 0.20""",
    "what a cheaper plan would have cost more is never earned": """
        offer BASIC 0.10
        buy first FAMILY_PREMIUM
        offer FAMILY_PREMIUM 0.20
        buy second FAMILY_PREMIUM
        wait 29.95833333333
        change PREMIUM
        credit 0.00
        change BASIC
        credit 0.10
        until 60""",
    "a renewal that refunded credit reduced is made again at its price": """
        offer PLUS 0.75
        buy first PREMIUM
        upgrade late PLUS 0.25
        buy second PREMIUM
        pay late
        status late review
        resolve late credit
        credit 0.25
        renew reduced 0.25
        value late set_aside 0.25
        refund late reverse
        status reduced cancelled
        open 0.50
        credit 0.00
        value late returned 0.25
        pay reduced
        status reduced review
        until 60""",
    "a new subscription is not bought with credit that went back": """
        buy first FAMILY_PREMIUM
        change PREMIUM
        credit 0.50
        cancel 0.50
        order new PREMIUM 0.01
        value first lost 0.50 set_aside 0.49 credit 0.01
        refund first reverse
        status new cancelled
        value first returned 1.00
        pay new
        status new review
        until 0""",
    "no credit of refunded money is left when the renewal closes unpaid": """
        buy first PREMIUM
        upgrade second FAMILY_PREMIUM 0.50
        pay second
        change PREMIUM
        credit 0.50
        offer PREMIUM 0.80
        renew reduced 0.30
        value first set_aside 0.50
        value second periods 0.50
        refund second reverse
        status reduced cancelled
        until 0
        wait 1
        credit 0.50
        value first credit 0.50
        value second returned 0.50""",
    "no credit of refunded money is left when the renewal is paid": """
        buy first PREMIUM
        upgrade second FAMILY_PREMIUM 0.50
        pay second
        change PREMIUM
        offer PREMIUM 0.80
        renew reduced 0.30
        refund second reverse
        pay reduced
        status reduced review
        until 0
        credit 0.50
        value first credit 0.50
        value second returned 0.50""",
    "time follows the value that is left below a later upgrade": """
        offer A 1.00
        offer B 2.00
        buy first PREMIUM
        upgrade second A 0.50
        pay second
        upgrade third B 1.00
        pay third
        refund second reverse
        plan B
        until 22.5
        value first periods 0.50
        value second returned 0.50
        value third periods 1.00""",
    "less than was asked never becomes the credit that was asked": """
        offer A 1.00
        offer B 50.50
        buy first A
        upgrade second B 49.50
        pay second 0.01
        status second review
        buy third A
        resolve second accept
        status second paid
        credit 0.01
        plan A
        value second credit 0.01""",
    "money that follows the wrong amount is in review, though nobody asks for it": """
        offer PREMIUM 2.00
        order first PREMIUM 2.00
        pay first 0.01
        status first review
        send first
        resolve first refunded
        value first returned 0.01
        wait 0.001
        value first review 2.00 returned 0.01
        resolve first credit
        value first credit 2.00 returned 0.01""",
    "money that follows the wrong amount can buy what was asked for": """
        offer PREMIUM 2.00
        order first PREMIUM 2.00
        pay first 0.01
        wait 0.01
        pay first
        value first review 2.01
        resolve first refunded amount
        resolve first credit duplicate_receipt
        order second PREMIUM 0.01
        pay second
        until 30.01
        value first credit 0.01 periods 1.99 returned 0.01
        value second periods 0.01""",
    "a refund in place is the shop's gift, and is reversed later": """
        buy first PREMIUM
        wait 15
        refund first
        until 30
        value first returned 0.50
        refund first reverse
        until 15""",
    "a refund of a part costs time, and the rest of it takes the plan back": """
        buy first PREMIUM
        upgrade second FAMILY_PREMIUM 0.50
        pay second
        refund second reverse 0.10
        status second paid
        plan FAMILY_PREMIUM
        until 27
        refund second reverse
        status second refunded
        plan PREMIUM
        until 27
        credit 0.05
        value first periods 0.45 credit 0.05
        value second returned 0.50""",
    "a refund of a part in place takes credit first": """
        buy first FAMILY_PREMIUM
        change PREMIUM
        credit 0.50
        refund first 0.60
        credit 0.00
        until 30
        value first periods 0.40 returned 0.60
        refund first 0.30
        refund first reverse 0.10
        status first refunded
        until 0""",
    "a part that free credit covers leaves an open payment as it is": """
        buy first FAMILY_PREMIUM
        change PREMIUM
        cancel 0.50
        order new PREMIUM 0.01
        value first lost 0.50 set_aside 0.49 credit 0.01
        refund first 0.01
        status new pending
        value first lost 0.50 set_aside 0.49 returned 0.01
        pay new
        status new paid
        until 30
        value first lost 0.50 periods 0.49 returned 0.01""",
    "a part beyond the free credit cancels the open payment that the credit reduces": """
        buy first FAMILY_PREMIUM
        change PREMIUM
        cancel 0.50
        order new PREMIUM 0.01
        refund first 0.02
        status new cancelled
        credit 0.48
        value first lost 0.50 credit 0.48 returned 0.02
        pay new
        status new review
        until 0""",
    "a part that is reversed takes the payer's money, and not the gift of an earlier part": """
        buy first PREMIUM
        wait 15
        refund first 0.25
        value first served 0.25 returned 0.25
        refund first reverse 0.10
        value first served 0.15 returned 0.35
        until 30""",
    "an upgrade that refunded credit reduced is cancelled, and nothing is made for it": """
        offer PLUS 1.50
        buy first FAMILY_PREMIUM
        change PREMIUM
        upgrade second PLUS 0.50
        value first periods 0.50 set_aside 0.50
        refund first
        status second cancelled
        open none
        credit 0.00
        plan PREMIUM
        until 30
        value first returned 1.00""",
    "the former plan comes back only if the periods hold all that it needs": """
        offer A 1.00
        offer B 2.00
        buy first A
        upgrade second B 1.00
        pay second
        refund first reverse 0.02
        until 29.7
        refund second reverse
        plan B
        until 14.7
        credit 0.00
        value first periods 0.98 returned 0.02
        value second returned 1.00""",
    "an upgrade in place that is reversed later takes the gift, and not other money": """
        buy first PREMIUM
        upgrade second FAMILY_PREMIUM 0.50
        pay second
        refund second
        plan FAMILY_PREMIUM
        value first periods 0.50
        refund second reverse
        plan PREMIUM
        until 30
        value first periods 0.50
        value second returned 0.50""",
    "two upgrades that are refunded one after the other give back two plans": """
        offer A 1.00
        offer B 2.00
        buy first PREMIUM
        upgrade second A 0.50
        pay second
        upgrade third B 1.00
        pay third
        refund third reverse
        plan A
        refund second reverse
        plan PREMIUM
        until 30
        value first periods 0.50""",
    "what is open for a plan that a refund takes back is cancelled": """
        offer B 2.00
        buy first PREMIUM
        upgrade second FAMILY_PREMIUM 0.50
        pay second
        renew renewal 1.00
        upgrade third B 1.00
        refund second reverse
        status renewal cancelled
        status third cancelled
        open none
        plan PREMIUM""",
    "an accepted payment takes no credit but what it was reduced by": """
        give 0.10
        order first PREMIUM 0.40
        pay first 0.20
        give 0.50
        resolve first accept
        status first paid
        credit 0.50
        value first periods 0.20
        until 30""",
    "money that became credit is not kept beside its refund": """
        buy first PREMIUM
        upgrade late FAMILY_PREMIUM 0.50
        buy second PREMIUM
        pay late
        resolve late credit
        credit 0.50
        refund late
        credit 0.00
        value late returned 0.50
        until 60""",
    "an upgrade that is accepted so late that it frees value gives the gift back to the shop": """
        buy first PREMIUM
        offer PREMIUM 1.30
        buy second PREMIUM
        refund second
        upgrade third FAMILY_PREMIUM 0.20
        wait 15
        pay third
        resolve third accept
        plan FAMILY_PREMIUM
        credit 0.20
        value first served 0.25 periods 0.25
        value second returned 1.30
        value third credit 0.20""",
    "plans changed to and fro serve what they cost": """
        offer A 0.60
        offer B 1.20
        buy first A
        wait 10
        upgrade second B 0.40
        pay second
        wait 5
        change A
        credit 0.30
        wait 5
        upgrade third B none
        credit 0.10
        wait 10
        tick
        value first served 0.60
        value second served 0.30 set_aside 0.10""",
    "credit that an operator gave pays, and stays when a payment is refunded": """
        give 0.20
        order first PREMIUM 0.30
        pay first
        credit 0.00
        until 30
        refund first reverse
        until 12
        value first returned 0.30""",
}


class Player:
    """One user of a shop, and the operator. Each verb of a story is a method."""

    def __init__(self, client: httpx.AsyncClient, service: Service, settlement: Settlement) -> None:
        self._client = client
        self._service = service
        self._settlement = settlement
        self._payments: dict[str, str] = {}
        self._transfers = count(1)

    async def play(self, story: str) -> None:
        for line in story.strip().splitlines():
            verb, *words = line.split()
            try:
                await getattr(self, verb)(*words)
            except AssertionError as wrong:
                raise AssertionError(f"{line.strip()}: {wrong}") from wrong

    # Requests

    async def offer(self, code: str, amount: str) -> None:
        await self._ask("POST", "/v1/plans", {"code": code, "name": code, "amount": amount, "currency": "USD"})

    async def order(self, name: str, plan: str, amount: str | None = None) -> None:
        made = await self._ask("POST", "/v1/payments", {"user_id": "u1", "plan": plan})
        self._made(name, made, amount)

    async def buy(self, name: str, plan: str) -> None:
        await self.order(name, plan)
        await self.pay(name)
        await self.status(name, "paid")

    async def upgrade(self, name: str, plan: str, amount: str) -> None:
        asked = await self._ask("POST", await self._path("upgrade"), {"plan": plan})
        if amount == "none":
            assert asked["payment"] is None
        else:
            self._made(name, asked["payment"], amount)

    async def upgrade_at_any_cost(self, name: str, plan: str) -> None:
        """Pay the upgrade where it asks for money; credit may have paid for all of it."""
        asked = await self._ask("POST", await self._path("upgrade"), {"plan": plan})
        if asked["payment"] is not None:
            self._made(name, asked["payment"], None)
            await self.pay(name)

    async def renew(self, name: str, amount: str) -> None:
        self._made(name, (await self._ask("POST", await self._path("renew")))["payment"], amount)

    async def change(self, plan: str) -> None:
        """Change at once by whichever request is the right one, and see that its preview told the truth."""
        before = await self._credit()
        path, body = await self._path("downgrade"), {"plan": plan, "at": "now"}
        previewed = await self._client.post(path, json=body | {"preview": True})
        if previewed.json().get("code") == "upgrade_instead":
            path, body = await self._path("upgrade"), {"plan": plan}
            previewed = await self._client.post(path, json=body | {"preview": True})
        told = previewed.json()["moves"]["to_credit"]
        await self._ask("POST", path, body)
        assert cents(await self._credit()) - cents(before) == cents(told)

    async def cancel(self, lost: str) -> None:
        path, body = await self._path("cancel"), {"at": "now"}
        assert (await self._ask("POST", path, body | {"preview": True}))["lost"] == lost
        await self._ask("POST", path, body)

    async def refund(self, name: str, *how: str) -> None:
        body: dict[str, Any] = {"refund_reference": f"FT{next(self._transfers)}", "reverse": "reverse" in how}
        for part in set(how) - {"reverse"}:
            body["amount"] = part
        before = (await self._ask("GET", self._at(name)))["value"]
        after = (await self._ask("POST", f"{self._at(name)}/refund", body))["value"]
        sent = cents(body.get("amount", before["refundable"]))
        assert cents(after["refundable"]) == cents(before["refundable"]) - sent
        assert cents(after["returned"]) == cents(before["returned"]) + sent

    async def resolve(self, name: str, action: str, kind: str | None = None) -> None:
        items = (await self._ask("GET", "/v1/reviews"))["data"]
        [item] = [each for each in items if each["payment"] == self._payments[name] and kind in (None, each["kind"])]
        await self._ask("POST", f"/v1/reviews/{item['reference']}/resolve", {"action": action, "note": "by phone"})

    async def give(self, amount: str) -> None:
        await self._ask("POST", "/v1/users/u1/credit", {"amount": amount, "currency": "USD", "reason": "goodwill"})

    async def send(self, name: str, amount: str | None = None) -> None:
        """The payer pays through the simulator, and says so to nobody."""
        body = {"reference": self._payments[name]} | ({"amount": amount} if amount else {})
        await self._ask("POST", "/v1/test/pay", body)

    async def pay(self, name: str, amount: str | None = None) -> None:
        """The payer pays, the main backend asks for a check, and the watcher looks."""
        await self.send(name, amount)
        await self._ask("POST", f"{self._at(name)}/check")
        await self._settlement.step(self._service.clock.now())

    async def wait(self, days: str) -> None:
        await self.move_on(round(float(days) * DAY))

    async def move_on(self, seconds: int) -> None:
        await self._ask("POST", "/v1/test/clock/advance", {"seconds": seconds})
        await self._settlement.step(self._service.clock.now())

    async def tick(self) -> None:
        """Whatever is due by now is applied when somebody looks."""
        await self._subscription()

    # What must then be

    async def status(self, name: str, status: str) -> None:
        assert (await self._ask("GET", self._at(name)))["status"] == status

    async def value(self, name: str, *places: str) -> None:
        found = (await self._ask("GET", self._at(name)))["value"]
        assert found["others"] == []
        held = {place: found[place] for place in found if place not in ("currency", "received", "refundable", "others")}
        assert sum(map(cents, held.values())) == cents(found["received"])
        some = {place: amount for place, amount in held.items() if cents(amount)}
        assert some == dict(zip(places[::2], places[1::2], strict=True))

    async def totals(self) -> Counter[str]:
        """Return where the money of all payments is: cents by place, with what came as `received`."""
        found: Counter[str] = Counter()
        for name in self._payments:
            value = (await self._ask("GET", self._at(name)))["value"]
            found.update({each: cents(value[each]) for each in value if each not in ("currency", "others")})
        return found

    async def credit(self, amount: str) -> None:
        assert await self._credit() == amount

    async def plan(self, code: str) -> None:
        assert (await self._subscription())["plan"] == code

    async def open(self, amount: str) -> None:
        payment = (await self._subscription())["open_payment"]
        assert (payment["amount"] if payment else "none") == amount

    async def until(self, days: str) -> None:
        entitled_until = datetime.fromisoformat((await self._subscription())["entitled_until"])
        assert entitled_until == BEGIN + timedelta(days=float(days))

    async def books(self) -> None:
        assert (await self._ask("GET", "/v1/verify"))["violations"] == []

    # How

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = await self._client.request(method, path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def _made(self, name: str, payment: dict[str, Any], amount: str | None) -> None:
        self._payments[name] = payment["reference"]
        assert amount is None or payment["amount"] == amount, f"the QR asks for {payment['amount']}"

    def _at(self, name: str) -> str:
        return f"/v1/payments/{self._payments[name]}"

    async def _subscription(self) -> dict[str, Any]:
        return await self._ask("GET", "/v1/users/u1/subscription")

    async def _path(self, action: str) -> str:
        return f"/v1/subscriptions/{(await self._subscription())['reference']}/{action}"

    async def _credit(self) -> str:
        return str((await self._subscription())["credit"]["amount"])


def cents(amount: str) -> int:
    return int(amount.replace(".", ""))


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    """A service in test mode that takes any number of requests in a moment, for time stands still."""
    return service_of(RATE_LIMIT="off")


@pytest.fixture
def player(client: httpx.AsyncClient, service: Service, settlement: Settlement) -> Player:
    """A player in a world where time stands still."""
    return Player(client, service, settlement)


@pytest.mark.parametrize("name", STORIES)
async def test_a_story_ends_with_every_cent_where_it_belongs(player: Player, name: str) -> None:
    await player.play(STORIES[name])
    await player.books()


@pytest.mark.parametrize(
    "changes", [30, pytest.param(30 * 24 * 60 - 1, marks=[pytest.mark.slow, pytest.mark.timeout(0)])]
)
async def test_plans_changed_every_minute_serve_what_they_cost_for_their_time(player: Player, changes: int) -> None:
    """A minute costs 0.4 cents on plan A and 1.4 on plan B, so it shows if each minute is rounded by itself."""
    await player.offer("A", "172.80")
    await player.offer("B", "604.80")
    await player.buy("first", "A")
    cost = Fraction(0)
    for change in range(changes):
        await player.move_on(60)
        if change % 2:
            cost += Fraction(14, 10)
            await player.change("A")
        else:
            cost += Fraction(4, 10)
            await player.upgrade_at_any_cost(f"upgrade {change}", "B")
    totals = await player.totals()
    assert abs(totals["served"] - cost) <= 1
    assert totals["served"] + totals["periods"] + totals["credit"] == totals["received"]
    left = 30 * DAY - 60 * changes
    await player.move_on(left)
    cost += Fraction(left, 60) * (Fraction(14, 10) if changes % 2 else Fraction(4, 10))
    totals = await player.totals()
    assert abs(totals["served"] - cost) <= 1
    assert totals["served"] + totals["set_aside"] + totals["credit"] == totals["received"]
    await player.books()
