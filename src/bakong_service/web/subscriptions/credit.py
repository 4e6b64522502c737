"""Credit that an operator gives to a user, or removes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import Fault
from bakong_service.domain.money import Money
from bakong_service.operations.ledger import credit
from bakong_service.web.http import bodies
from bakong_service.web.http.idempotency import Success, idempotent
from bakong_service.web.http.problems import invalid
from bakong_service.web.payments.payments import money, money_faults


@frozen(kw_only=True)
class CreditBody:
    """How much, and why. An amount below zero removes credit."""

    amount: Annotated[str, Meta(min_length=1, max_length=32)]
    currency: Annotated[str, Meta(max_length=3)]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]

    @staticmethod
    def faults(given: Mapping[str, Any], now: datetime) -> list[Fault]:
        """Return what is wrong with members that are right each by itself."""
        del now
        amount = given["amount"]
        return money_faults({**given, "amount": None if amount is None else amount.removeprefix("-")})

    def money(self) -> Money:
        """Return the amount with its sign. Raises a 422 `Problem`."""
        removes = self.amount.startswith("-")
        found = money(self.amount.removeprefix("-"), self.currency)
        if found is None:
            raise invalid(Fault("/amount", "invalid_amount", "must be an amount such as 2.50, or -2.50 to remove it"))
        return Money(-found.minor, found.currency) if removes else found


async def grant(request: Request) -> Response:
    """Give credit to a user, or remove it; 201 with what the user may spend now."""
    body = await bodies.parse(request, CreditBody)
    amount, user_id = body.money(), request.path_params["user_id"]
    return await idempotent(request, lambda work: Success(201, credit.grant(work, user_id, amount, reason=body.reason)))
