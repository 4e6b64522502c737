"""What the service shows of payment links."""

# ruff: noqa: E501 - a table: one member a line

from typing import Literal, Self

from attrs import field, frozen

from bakong_khqr.money import Currency
from bakong_service.domain import link as domain
from bakong_service.domain.link import LinkState, Sales
from bakong_service.domain.money import Money
from bakong_service.resources.members import Amount, Moment, says, taken


@frozen(kw_only=True, slots=False)
class Link:
    """A payment link, and what its payments came to."""

    object: Literal["link"] = "link"
    reference: str = field(metadata=says("The service's own name for it."))
    code: str = field(metadata=says("The ten characters at the end of the link's address."))
    url: str | None = field(metadata=says("The address to send or to print. It is null without `PUBLIC_URL`."))
    state: LinkState = field(metadata=says("Whether the link sells anything: `open`, or why not."))
    amount: Amount | None = field(metadata=says("The price, in major units. It is null if the payer enters the amount, and for a plan."))  # fmt: skip
    least_amount: Amount | None = field(metadata=says("The smallest amount that a payer may enter, in major units."))
    most_amount: Amount | None = field(metadata=says("The largest amount that a payer may enter, in major units."))
    currency: Currency | None = field(metadata=says("The currency of the amounts beside it."))
    plan: str | None = field(metadata=says("The plan's code."))
    user_id: str | None = field(metadata=says("Your own id of the user, up to 64 characters."))
    description: str | None = field(metadata=says("What it is for, in your words."))
    metadata: dict[str, str] = field(metadata=says("Your own names and texts, which each payment of the link has too."))
    max_uses: int | None = field(metadata=says("How many payments the link may sell. An open payment counts, because it may be paid."))  # fmt: skip
    expires_at: Moment | None = field(metadata=says("When the link stops selling."))
    created_at: Moment = field(metadata=says("When it was made."))
    closed_at: Moment | None = field(metadata=says("When it was closed."))
    opened: int = field(metadata=says("How many visitors opened the link."))
    open_payments: int = field(metadata=says("How many of the link's payments are open."))
    paid_payments: int = field(
        metadata=says("How many of the link's payments are paid. A payment that was refunded in part is still paid.")
    )
    refunded_payments: int = field(metadata=says("How many of the link's payments were refunded to the end."))
    received_amount: Amount | None = field(
        metadata=says(
            "What came for the link's payments in the link's currency, before refunds, in major units. It is null for a plan."
        )
    )
    refunded_amount: Amount | None = field(metadata=says("How much of `received_amount` was sent back."))
    net_amount: Amount | None = field(metadata=says("What is left: `received_amount` without `refunded_amount`."))

    @classmethod
    def of(cls, link: domain.Link, sales: Sales, *, state: LinkState, url: str | None) -> Self:
        """Return a link."""
        currency = next((each.currency for each in (link.amount, link.least) if each is not None), None)
        minor = {"received": sales.received, "refunded": sales.refunded, "net": sales.received - sales.refunded}
        return taken(
            cls,
            link,
            url=url,
            state=state,
            amount=None if link.amount is None else str(link.amount),
            least_amount=None if link.least is None else str(link.least),
            most_amount=None if link.most is None else str(link.most),
            currency=None if currency is None else Currency(currency),
            open_payments=sales.uses.open,
            paid_payments=sales.uses.paid,
            refunded_payments=sales.uses.refunded,
            **{
                f"{name}_amount": None if currency is None else str(Money(amount, currency))
                for name, amount in minor.items()
            },
        )
