"""What every operation knows about the shop that it works for. `app.py` makes it once."""

from attrs import Factory, frozen

from bakong_service.domain.identifiers import Identifiers
from bakong_service.domain.policy import PaymentPolicy, Shop, SubscriptionPolicy, WebhookPolicy
from bakong_service.vault import Vault


@frozen(kw_only=True)
class Business:
    """The shop, its rules, its vault, and the source of its identifiers."""

    shop: Shop
    vault: Vault
    payments: PaymentPolicy = Factory(PaymentPolicy)
    subscriptions: SubscriptionPolicy = Factory(SubscriptionPolicy)
    webhooks: WebhookPolicy = Factory(WebhookPolicy)
    identifiers: Identifiers = Factory(Identifiers)
