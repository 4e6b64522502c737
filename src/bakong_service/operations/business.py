"""What every operation knows of the shop it works for. Made once, by the composition root."""

from attrs import Factory, frozen

from bakong_service.domain.identifiers import Identifiers
from bakong_service.domain.policy import PaymentPolicy, Shop, SubscriptionPolicy, WebhookPolicy
from bakong_service.vault import Vault


@frozen(kw_only=True)
class Business:
    """The shop, its rules, its vault, and where identifiers come from."""

    shop: Shop
    vault: Vault
    payments: PaymentPolicy = Factory(PaymentPolicy)
    subscriptions: SubscriptionPolicy = Factory(SubscriptionPolicy)
    webhooks: WebhookPolicy = Factory(WebhookPolicy)
    identifiers: Identifiers = Factory(Identifiers)
