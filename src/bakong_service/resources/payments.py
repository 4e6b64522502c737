"""What the service shows of payments: the payment, where its money is, its records and its review items."""

# ruff: noqa: E501 - a table: one member a line

from decimal import Decimal
from typing import Any, Literal, Self

from attrs import field, frozen
from msgspec import UNSET, UnsetType

from bakong_khqr.money import Currency
from bakong_service.domain import payment as domain
from bakong_service.domain.look import LookReason
from bakong_service.domain.money import written
from bakong_service.domain.payment import Flag, PaymentStatus, Purpose
from bakong_service.domain.review import Decision, Disposition, ReviewKind
from bakong_service.resources.members import Amount, EventType, Moment, says, taken
from bakong_service.storage import history
from bakong_service.storage.payments import receipts
from bakong_service.storage.payments.reviews import ReviewItem


@frozen(kw_only=True, slots=False)
class ValueInCurrency:
    """What came in one currency, and where it is now. The places add up to `received`."""

    currency: Currency = field(metadata=says("The currency of the amounts beside it."))
    received: Amount = field(metadata=says("Everything that came."))
    served: Amount = field(metadata=says("What paid for days that are over."))
    periods: Amount = field(metadata=says("Value that paid periods hold and that isn't served yet."))
    credit: Amount = field(metadata=says("Credit, as an amount in major units."))
    set_aside: Amount = field(metadata=says("Credit that waits for a payment to be paid."))
    review: Amount = field(metadata=says("What waits for a person's decision."))
    returned: Amount = field(metadata=says("What was sent back."))
    lost: Amount = field(metadata=says("Value that nobody gets back, in major units."))
    refundable: Amount = field(metadata=says("How much a refund may still send back: the money that bought something, without what was refunded."))  # fmt: skip


@frozen(kw_only=True, slots=False)
class Value(ValueInCurrency):
    """Where the money of a payment is now, in the payment's currency; `others` is money that came in another one."""

    others: list[ValueInCurrency] = field(metadata=says("The same for money that came in another currency."))


@frozen(kw_only=True, slots=False)
class Payment:
    """A payment, as lists and events show it."""

    object: Literal["payment"] = "payment"
    reference: str = field(metadata=says("The service's own name for it."))
    status: PaymentStatus = field(metadata=says("How it stands."))
    flags: list[Flag] = field(metadata=says("What is to be known beside the status."))
    user_id: str | None = field(metadata=says("Your own id of the user, up to 64 characters."))
    purpose: Purpose = field(metadata=says("What the payment is for."))
    plan: str | None = field(metadata=says("The plan's code."))
    amount: Amount = field(metadata=says("An amount in major units, as text: `2.50`."))
    currency: Currency = field(metadata=says("The currency of the amounts beside it."))
    description: str | None = field(metadata=says("What it is for, in your words."))
    metadata: dict[str, str] = field(metadata=says("Your own names and texts, which the service keeps and gives back."))
    md5: str = field(metadata=says("The MD5 of the QR's text: 32 hexadecimal digits. Bakong knows the payment by it."))
    bill_number: str = field(metadata=says("The number of the payment within the QR. Each payment has its own."))
    created_at: Moment = field(metadata=says("When it was made."))
    qr_expires_at: Moment = field(metadata=says("Until when bank apps accept the QR."))
    deadline_at: Moment = field(metadata=says("Until when the payment has to be paid."))
    paid_at: Moment | None = field(metadata=says("When the payer paid, as Bakong says."))
    late: bool = field(metadata=says("Whether the money came after the deadline, and was taken."))
    subscription: str | None = field(metadata=says("The reference of the subscription that the payment belongs to."))
    replaces: str | None = field(metadata=says("The payment whose code expired, and for which the payer made this new code. It is null for any other payment."))  # fmt: skip
    link: str | None = field(metadata=says("The link that the payment was made by. It is null for any other payment."))
    next_check_at: Moment | None = field(metadata=says("When the service asks Bakong next. It is null where it doesn't ask any more."))  # fmt: skip
    next_check_reason: LookReason | None = field(metadata=says("Why the service asks then."))
    version: int = field(metadata=says("A number that rises with each change."))

    @classmethod
    def of(cls, payment: domain.Payment, **more: Any) -> Self:
        """Return a payment. The QR isn't in it: that one is kept sealed."""
        return taken(
            cls,
            payment,
            amount=str(payment.amount),
            currency=Currency(payment.amount.currency),
            late=Flag.LATE in payment.flags,
            **more,
        )


@frozen(kw_only=True, slots=False)
class PaymentForPayer:
    """A payment, as a client token shows it to its payer: without what the main backend wrote for itself."""

    object: Literal["payment"] = "payment"
    reference: str = field(metadata=says("The service's own name for it."))
    status: PaymentStatus = field(metadata=says("How it stands."))
    amount: Amount = field(metadata=says("An amount in major units, as text: `2.50`."))
    currency: Currency = field(metadata=says("The currency of the amounts beside it."))
    description: str | None = field(metadata=says("What it is for, in your words."))
    bill_number: str = field(metadata=says("The number of the payment within the QR. Each payment has its own."))
    created_at: Moment = field(metadata=says("When it was made."))
    qr_expires_at: Moment = field(metadata=says("Until when bank apps accept the QR."))
    paid_at: Moment | None = field(metadata=says("When the payer paid, as Bakong says."))
    late: bool = field(metadata=says("Whether the money came after the deadline, and was taken."))
    version: int = field(metadata=says("A number that rises with each change."))

    @classmethod
    def of(cls, payment: domain.Payment) -> Self:
        """Return what a payer may know of a payment."""
        amount, currency = str(payment.amount), Currency(payment.amount.currency)
        return taken(cls, payment, amount=amount, currency=currency, late=Flag.LATE in payment.flags)


@frozen(kw_only=True, slots=False)
class PaymentLinks:
    """The paths of what belongs to a payment."""

    self: str = field(alias="self_", metadata=says("The payment itself."))
    qr_png: str = field(metadata=says("Where to get the QR as a PNG."))
    qr_svg: str = field(metadata=says("Where to get the QR as an SVG."))
    card_png: str = field(metadata=says("Where to get the KHQR card as a PNG."))
    card_svg: str = field(metadata=says("Where to get the KHQR card as an SVG."))
    deeplink: str = field(metadata=says("Where to get the link that opens a bank app."))
    events: str = field(metadata=says("Where to follow the payment by server-sent events."))
    check: str = field(metadata=says("Where to ask for a look at Bakong."))
    cancel: str = field(metadata=says("Where to cancel the payment."))
    history: str = field(metadata=says("Where to read every change of the payment."))
    receipts: str = field(metadata=says("Where to read the money that was seen for the payment."))

    @classmethod
    def to(cls, payment: str) -> Self:
        """Return the paths of the payment with this reference."""
        here = f"/v1/payments/{payment}"
        return cls(
            self_=here,
            qr_png=f"{here}/qr.png",
            qr_svg=f"{here}/qr.svg",
            card_png=f"{here}/card.png",
            card_svg=f"{here}/card.svg",
            deeplink=f"{here}/deeplink",
            events=f"{here}/events",
            check=f"{here}/check",
            cancel=f"{here}/cancel",
            history=f"{here}/history",
            receipts=f"{here}/receipts",
        )


@frozen(kw_only=True, slots=False)
class PaymentWithQR(Payment):
    """A payment with the text of its QR, and the paths of what belongs to it."""

    qr: str = field(repr=False, metadata=says("The text of the QR: the KHQR payload."))
    client_token: str = field(repr=False, metadata=says("What a payer's browser may show instead of a key: `Authorization: Bearer`. It opens this payment alone, until 30 days after its watch."))  # fmt: skip
    checkout_url: str | None = field(repr=False, metadata=says("The address of the page on which the payer pays. It is null without `PUBLIC_URL`."))  # fmt: skip
    return_url: str | None = field(metadata=says("Where the payer's page leads back to, if there is no address for the payment's status."))  # fmt: skip
    success_url: str | None = field(metadata=says("Where the payer's page leads back to when the payment is paid."))
    cancel_url: str | None = field(metadata=says("Where the payer's page leads back to while the payment isn't paid."))
    links: PaymentLinks = field(metadata=says("Where to go from here."))


@frozen(kw_only=True, slots=False)
class PaymentWithValue(PaymentWithQR):
    """A payment with its QR, and where its money is now."""

    value: Value = field(metadata=says("Where the money of the payment is now."))


@frozen(kw_only=True, slots=False)
class RefundedPayment(Payment):
    """A payment of which money was sent back, and where its money is now."""

    value: Value = field(metadata=says("Where the money of the payment is now."))


@frozen(kw_only=True, slots=False)
class Deeplink:
    """The link that opens a payer's bank app with the payment in it."""

    object: Literal["deeplink"] = "deeplink"
    payment: str = field(metadata=says("The reference of the payment."))
    deeplink: str = field(metadata=says("The link that opens the payer's bank app."))


@frozen(kw_only=True, slots=False)
class CheckedPayment:
    """What is known of one MD5: its payment, or null where the service knows none."""

    md5: str = field(metadata=says("The MD5 of the QR's text: 32 hexadecimal digits. Bakong knows the payment by it."))
    payment: Payment | None = field(metadata=says("The payment; null where the service knows none with this MD5."))


@frozen(kw_only=True, slots=False)
class Checks:
    """What is known of each MD5 that was asked about, in the order of the request."""

    object: Literal["checks"] = "checks"
    data: list[CheckedPayment] = field(metadata=says("One entry for each MD5."))


@frozen(kw_only=True, slots=False)
class Notice:
    """A notice that was taken."""

    object: Literal["notice"] = "notice"
    id: str = field(metadata=says("The notice's id: its header `webhook-id`."))
    duplicate: bool = field(metadata=says("Whether this notice was taken before."))
    payment: str | UnsetType | None = field(default=UNSET, metadata=says("The reference of the payment."))


@frozen(kw_only=True, slots=False)
class Change:
    """One change of a payment or subscription: what it was, what it became, why, and by whom."""

    object: Literal["change"] = "change"
    version: int = field(metadata=says("A number that rises with each change."))
    old_status: str | None = field(metadata=says("The status before the change. It is null for the first one."))
    new_status: str = field(metadata=says("The status after the change."))
    reason: str = field(metadata=says("Why."))
    actor: str = field(metadata=says("Who did it: `api:` and the id of a key, or the name of a worker."))
    event_type: EventType | None = field(metadata=says("The type of the event that tells of this change, if one does."))
    metadata: dict[str, Any] = field(metadata=says("More about the change; the members depend on what happened."))
    at: Moment = field(metadata=says("When it happened."))

    @classmethod
    def of(cls, change: history.Change) -> Self:
        """Return a line of a history."""
        return taken(cls, change)


@frozen(kw_only=True, slots=False)
class Receipt:
    """One sighting of money."""

    object: Literal["receipt"] = "receipt"
    transaction_hash: str = field(metadata=says("The hash that Bakong knows the transfer by."))
    amount: str = field(metadata=says("What came, in major units."))
    currency: str = field(metadata=says("The currency, as Bakong wrote it."))
    to_account: str = field(metadata=says("The account that was paid."))
    external_ref: str | None = field(metadata=says("The transfer's reference at the payer's bank."))
    sent_at: Moment | None = field(metadata=says("When the payer sent the money, as Bakong says."))
    acknowledged_at: Moment | None = field(metadata=says("When the payer's bank confirmed the transfer, as Bakong says."))  # fmt: skip
    seen_at: Moment = field(metadata=says("When the service saw the money."))
    disposition: Disposition = field(metadata=says("What became of the money: `applied` bought something, `open` waits for a decision, `credited` is the user's credit, `refunded` was sent back, `rejected` isn't for this shop."))  # fmt: skip

    @classmethod
    def of(cls, receipt: receipts.Receipt) -> Self:
        """Return a receipt. The payer's account isn't shown: it is kept encrypted."""
        amount = written(Decimal(receipt.amount), receipt.currency)
        return taken(cls, receipt, transaction_hash=receipt.tx_hash, amount=amount)


@frozen(kw_only=True, slots=False)
class Review:
    """Money that a person has to decide about."""

    object: Literal["review"] = "review"
    reference: str = field(metadata=says("The service's own name for it."))
    kind: ReviewKind = field(metadata=says("Why a person has to decide."))
    payment: str = field(metadata=says("The reference of the payment."))
    details: dict[str, Any] = field(metadata=says("More about it; the members depend on what happened."))
    opened_at: Moment = field(metadata=says("When the item was opened."))
    resolved_at: Moment | None = field(metadata=says("When it was decided. It is null while the item is open."))
    action: Literal[Decision, "answered"] | None = field(
        metadata=says("What was decided. It is null while the item is open.")
    )
    operator: str | None = field(metadata=says("Who decided."))
    note: str | None = field(metadata=says("The transfer's reference, or why: at most 500 characters."))

    @classmethod
    def of(cls, item: ReviewItem) -> Self:
        """Return a review item. An answer of Bakong that couldn't be read stays encrypted."""
        return taken(cls, item)
