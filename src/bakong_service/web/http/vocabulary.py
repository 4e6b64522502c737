"""What the names of requests mean: members of bodies, parameters and headers; and the groups of routes.

A member of a body means what the members of that name mean in `resources`, if all of those mean the same. Anything else
stands here; if it must be said more exactly, with the body before it. A test refuses a name without a sentence, and a
sentence without a name.
"""

# ruff: noqa: E501 - a table: one name a line

import attrs

from bakong_service import resources

# fmt: off
BODIES: dict[str, str] = {
    "ResolutionBody.action": "What is decided about the money.",
    "after": "Where to go on: the `next_after` of the answer before.",
    "all": "Whether to deliver every event again, and not only those whose delivery failed.",
    "amount": "An amount in major units, as text: `2.50`.",
    "CreditBody.amount": "How much credit to give, in major units. Below zero removes credit: `-2.50`.",
    "NewPaymentBody.amount": "What is to be paid, in major units: `2.50`. With a `plan` the plan's price is taken, and an amount must be equal to it.",
    "PayBody.amount": "What the payer pays, if it isn't what the payment asks for.",
    "CancelSubscriptionBody.at": "When the subscription ends: at the end of what is paid, or now.",
    "DowngradeBody.at": "When the plan changes: with the next period, or now.",
    "by_operator": "Whether an operator asks. It needs the scope `operator`; such a look is not counted as a hint, and never refused.",
    "NewPlanBody.code": "The plan's code: capital letters, digits and `_`.",
    "created_at_ms": "When the payer pays, in milliseconds since 1970, if it isn't now.",
    "currency": "The currency of the amounts beside it.",
    "PayBody.currency": "The currency that the payer pays in, if it isn't the payment's.",
    "NewLinkBody.amount": "The price, in major units. Leave it out if the payer enters the amount, and for a plan.",
    "NewLinkBody.metadata": "Your own names and texts, which each payment of the link has too: up to 20.",
    "NewKeyBody.expires_at": "Until when the key is good. Null: for ever.",
    "NewLinkBody.expires_at": "When the link stops selling. Null: never.",
    "NewEndpointBody.url": "Where events are sent.",
    "EndpointChangeBody.url": "Where events are sent.",
    "md5s": "The MD5s of the payments.",
    "NewPaymentBody.metadata": "Your own names and texts, which the service keeps and gives back: up to 20, together up to 12,000 bytes.",
    "name": "What people call it.",
    "overlap_seconds": "For how many seconds the old key stays good beside the new one.",
    "period_days": "How many days a period has.",
    "preview": "Whether to answer what would happen, and store nothing.",
    "CancelPaymentBody.reason": "Why, for the history.",
    "CancelSubscriptionBody.reason": "The user's reason, for the history.",
    "CreditBody.reason": "Why the credit is given or removed. It is kept in the audit log.",
    "NoticeBody.reference": "The payment's reference. Give this or `md5`.",
    "NoticeBody.md5": "The MD5 of the payment's QR. Give this or `reference`.",
    "PayBody.reference": "The reference of the payment to be paid.",
    "RefundBody.amount": "How much was sent back, in the currency that came. All that is left, if it isn't given.",
    "refund_reference": "The reference of the transfer that sent the money back.",
    "reverse": "Whether to take back what this money bought, too.",
    "seconds": "By how many seconds to move the clock on.",
    "secret": "The secret that signs deliveries: `whsec_...`, or any 32 characters and more. Without one the service makes it.",
    "ReplayBody.since": "From when on events are delivered again.",
    "to_account_id": "The account that the payer pays to, if it isn't the shop's.",
    "until": "Until when; events of that moment are left out.",
}

PARAMETERS: dict[str, str] = {
    "amount": "Of this amount, as text in major units; with `currency`.",
    "bill_number": "The payment with this bill number.",
    "by": "A line for each day, or for each month.",
    "code": "The plan's code.",
    "created_from": "Made at this moment or later: ISO 8601 with a zone.",
    "created_until": "Made before this moment: ISO 8601 with a zone.",
    "currency": "In this currency.",
    "description": "Whose description begins so. Give `user_id`, `created_from` or `paid_from` beside it.",
    "ending_before": "The items before this cursor, such as the `previous_cursor` of an answer. Not together with `starting_after`.",
    "endpoint": "Of the endpoint with this reference.",
    "event": "Of the event with this id.",
    "flag": "With this flag.",
    "format": "JSON or CSV; as `Accept` says, if it isn't given.",
    "from": "The first day, in Phnom Penh: 2026-11-01.",
    "key_id": "The id of the key.",
    "level": "Lines of this level.",
    "limit": "How many items a page has at most.",
    "md5": "The payment whose QR has this MD5.",
    "metadata": "With this text in the metadata under this name: `metadata[order]=7`. Up to five names.",
    "paid_from": "Paid at this moment or later, by the payer's time: ISO 8601 with a zone.",
    "paid_until": "Paid before this moment: ISO 8601 with a zone.",
    "period_end_from": "Whose present period ends at this moment or later: ISO 8601 with a zone.",
    "period_end_until": "Whose present period ends before this moment: ISO 8601 with a zone.",
    "plan": "Of the plan with this code.",
    "reference": "The reference that the service gave it.",
    "starting_after": "The items behind this cursor: the `next_cursor` of the answer before.",
    "state": "In this state; `failed` are those that were given up.",
    "status": "With this status.",
    "subject": "About what has this reference.",
    "type": "Of this type.",
    "until": "The day after the last one, in Phnom Penh: 2026-12-01.",
    "user_id": "Your own id of the user. A slash in it is written as `%2F`.",
    "wait": "For how many seconds to wait for news: with `If-None-Match` until the version is another one, else until the payment isn't pending any more.",
}

HEADERS: dict[str, str] = {
    "ETag": "The version of what is shown. Send it as `If-None-Match` to learn only of another one.",
    "Idempotency-Key": "The same key with the same request gets the same answer, for seven days. Take a new UUID for each thing that you want done.",
    "Idempotency-Replayed": "`true` where the answer was given before, under the same `Idempotency-Key`.",
    "If-None-Match": "The `ETag` that you know, several of them, or `*`. Where nothing has changed the answer is 304.",
    "Last-Event-ID": "The `id` of the last event that the caller has: only later changes are sent. `EventSource` sends it by itself.",
    "RateLimit": "What is left of the key's rate, and in how many seconds it is whole again.",
    "RateLimit-Policy": "The key's rate: so many requests within so many seconds. Absent where `RATE_LIMIT` is `off`.",
    "Retry-After": "After how many seconds to come back.",
    "WWW-Authenticate": "How to authenticate.",
    "X-Request-Id": "The id of the request: your own `X-Request-Id`, or a new one.",
    "webhook-id": "The id of this message. Keep it to recognise a repetition.",
    "webhook-signature": "The signatures over id, timestamp and body, as Standard Webhooks has them: `v1,...`.",
    "webhook-timestamp": "When the message was sent, in seconds since 1970.",
}

TAGS: dict[str, str] = {
    "payments": "Make payments, follow them, and see where their money is.",
    "links": "Addresses to send or to print, which sell one thing.",
    "users": "What a user may use, and the user's credit.",
    "subscriptions": "Until when users are served, and what changes.",
    "plans": "What is sold, and at which price.",
    "reviews": "Money that a person has to decide about.",
    "reports": "Sums over days and months.",
    "endpoints": "Where webhooks are sent.",
    "events": "The feed of everything that happened, and the webhooks that tell of it.",
    "deliveries": "What was sent to endpoints, and what they answered.",
    "notify": "Notices that a payment may be paid.",
    "keys": "API keys.",
    "audit": "Who did what.",
    "budget": "The day's calls to Bakong.",
    "verify": "Whether everything that must hold does hold.",
    "test": "The test clock and the payer of test mode.",
    "service": "The service itself.",
}
# fmt: on


def of_member(body: str, name: str) -> str:
    """Return what a member of a body means."""
    return BODIES.get(f"{body}.{name}") or BODIES.get(name) or _shown(name)


def _shown(name: str) -> str:
    kinds = [kind for each in resources.__all__ if attrs.has(kind := getattr(resources, each))]
    members = [attrs.fields_dict(kind).get(name) for kind in kinds]
    (meaning,) = {member.metadata["meaning"] for member in members if member is not None}
    return str(meaning)
