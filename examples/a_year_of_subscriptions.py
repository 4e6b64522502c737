"""A year of three users' subscriptions in seconds: `python examples/a_year_of_subscriptions.py`.

Starts Bakong's simulator and the service in test mode, each a process of its own on this machine, and plays the main
backend over HTTP: the test clock is moved on, users pay QRs or don't. At the end each user must be entitled until the
moment that was paid for, and the service's books must agree with themselves. Exit code 0; or 1, and what differs.
"""

import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from bakong_service.cli.stage import Stage

DAY = 86_400
LAST_DAY = 365

# On which day, who does what. Days of a fraction: so that no amount hangs on the seconds that playing takes.
ACTS: tuple[tuple[float, str, str, str | None], ...] = (
    (0, "dara", "buy", "PREMIUM"),
    (0, "sophea", "buy", "PREMIUM"),
    (0, "vuthy", "buy", "FAMILY_PREMIUM"),
    (14.9, "dara", "upgrade", "FAMILY_PREMIUM"),  # 0.25: half a month of the difference
    (28, "dara", "renew", None),
    (28, "vuthy", "renew", None),
    (29, "vuthy", "renew", None),  # one more month ahead
    (31, "sophea", "renew", None),  # in the grace: from the old boundary on
    (40, "dara", "downgrade", "PREMIUM"),  # with the next period
    (58, "dara", "renew", None),  # 0.50 already
    (59, "sophea", "cancel", None),
    (59.5, "sophea", "resume", None),
    (62, "sophea", "renew", None),
    (88, "sophea", "cancel", None),  # and it ends on day 90
    *((day, "dara", "renew", None) for day in range(88, 360, 30)),
    (150, "vuthy", "buy", "PREMIUM"),  # back after a lapse: a new subscription, from today on
    (155.2, "vuthy", "upgrade", "FAMILY_PREMIUM"),  # 0.41
    (164.9, "vuthy", "downgrade now", "PREMIUM"),  # 0.25 of credit
    (178, "vuthy", "renew", None),  # 0.25 less
    (200, "sophea", "buy", "FAMILY_PREMIUM"),
    (210, "sophea", "cancel now", None),
)
EXPECTED = {  # status, plan, entitled until which day
    "dara": ("active", "PREMIUM", 390),
    "sophea": ("expired", "FAMILY_PREMIUM", 210),
    "vuthy": ("expired", "PREMIUM", 213),  # day 210 and the grace
}
PAID = 725 + 250 + 416  # cents that the users' banks sent: dara's, sophea's, vuthy's; 25 more were vuthy's credit


class Backend:
    """The main backend, and the users' bank apps."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.day = 0.0

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request that must succeed; its answer."""
        answer = self._client.request(method, path, json=body)
        if not answer.is_success:
            raise SystemExit(f"day {self.day:g}: {method} {path} answered {answer.status_code}: {answer.text}")
        found: dict[str, Any] = answer.json()
        return found

    def wait_for(self, day: float) -> None:
        """Move the test clock on to a day of the year."""
        if seconds := round((day - self.day) * DAY):
            self.ask("POST", "/v1/test/clock/advance", {"seconds": seconds})
        self.day = day

    def subscription(self, user: str) -> dict[str, Any]:
        """The user's newest subscription."""
        return self.ask("GET", f"/v1/users/{user}/subscription")

    def do(self, user: str, act: str, plan: str | None) -> str:
        """What a user asks for; where it takes money, they pay. Tells what came of it."""
        if act == "buy":
            return self.pay(self.ask("POST", "/v1/payments", {"user_id": user, "plan": plan}))
        name, _, now = act.partition(" ")
        body = ({"plan": plan} if plan else {}) | ({"at": "now"} if now else {})
        path = f"/v1/subscriptions/{self.subscription(user)['reference']}/{name}"
        answer = self.ask("POST", path, body)
        return self.pay(answer["payment"]) if answer.get("payment") else "done"

    def pay(self, payment: dict[str, Any]) -> str:
        """Pay a QR, say so, and wait until the service has seen the money at Bakong."""
        reference = payment["reference"]
        self.ask("POST", "/v1/test/pay", {"reference": reference})
        self.ask("POST", f"/v1/payments/{reference}/check")
        ends_at = time.monotonic() + 20
        while (found := self.ask("GET", f"/v1/payments/{reference}"))["status"] != "paid":
            if time.monotonic() > ends_at:
                raise SystemExit(f"day {self.day:g}: {reference} is still {found['status']}")
            time.sleep(0.02)
        return f"paid {found['amount']} {found['currency']}"

    def every(self, path: str) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.ask("GET", f"{path}limit=100{cursor}")
            items += page["data"]
            if not page["has_more"]:
                return items
            cursor = f"&starting_after={page['next_cursor']}"


def play(backend: Backend) -> list[str]:
    """Play the year; what differs from what must be."""
    begins: dict[str, float] = {}
    for day, user, act, plan in sorted(ACTS, key=lambda row: row[0]):
        backend.wait_for(day)
        came_of_it = backend.do(user, act, plan)
        subscription = backend.subscription(user)
        begins.setdefault(user, instant(subscription["created_at"]))
        print(
            f"day {day:>5g}  {user:<7}{act:<14}{came_of_it:<15}"
            f"{subscription['status']:<10}{subscription['plan']:<15} until {subscription['entitled_until'][:10]}"
        )
    backend.wait_for(LAST_DAY)
    wrong = []
    for user, (status, plan, until) in EXPECTED.items():
        subscription = backend.subscription(user)
        days = (instant(subscription["entitled_until"]) - begins[user]) / DAY
        found = (subscription["status"], subscription["plan"], round(days, 2))
        if found != (status, plan, until):
            wrong.append(f"{user} is {found}, and must be {(status, plan, until)}")
    paid = sum(int(payment["amount"].replace(".", "")) for payment in backend.every("/v1/payments?status=paid&"))
    if paid != PAID:
        wrong.append(f"{paid} cents were paid, and {PAID} must be")
    told = Counter(event["type"] for event in backend.every("/v1/events?") if event["type"].startswith("sub"))
    print("\n" + "\n".join(f"{count:>4}  {event}" for event, count in sorted(told.items())))
    if found := backend.ask("GET", "/v1/verify")["violations"]:
        wrong.append(f"the books don't agree: {found}")
    return wrong


def instant(text: str) -> float:
    """An ISO 8601 moment as seconds since the epoch."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def main() -> int:
    """Set the stage and play; the exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Stage(Path(folder)) as stage:
        stage.start_simulator()
        # No webhooks here: nothing that the year is checked by needs them, and the feed has every event.
        service = stage.start_service(WEBHOOK_URL="", WEBHOOK_SECRET="")
        headers = {"Authorization": f"Bearer {stage.api_key}"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=10, trust_env=False) as client:
            wrong = play(Backend(client))
    print(f"\n{LAST_DAY} days in {time.monotonic() - began:.1f} s")
    for line in wrong:
        print(f"wrong: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
