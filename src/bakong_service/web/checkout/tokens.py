"""The client token of a payment, the address of its page, and reading the token that a browser presents."""

from functools import lru_cache

from bakong_service.domain import client_token
from bakong_service.domain.payment import Payment
from bakong_service.web.http.service import Service


def token_of(service: Service, payment: Payment) -> str:
    """Return the client token of a payment. It is the same each time, because its expiry is the payment's."""
    expires_at = payment.watch_until + client_token.KEPT_FOR
    return client_token.make(_key(service.settings.pepper), payment.reference, expires_at=expires_at)


def checkout_url(service: Service, token: str) -> str | None:
    """Return the address of the page that a client token opens; None without `PUBLIC_URL`, because a caller's Host
    isn't believed."""
    public = service.settings.public_url
    return None if public is None else f"{public}/pay/{token}"


def reference_of(service: Service, token: str) -> str | None:
    """Return the payment that a token opens at this moment; None if it opens nothing."""
    return client_token.read(_key(service.settings.pepper), token, now=service.clock.now())


@lru_cache(maxsize=8)
def _key(pepper: bytes) -> bytes:
    return client_token.key_of(pepper)
