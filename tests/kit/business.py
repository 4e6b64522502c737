"""A shop's rules, and a payment that is in no database."""

from typing import Any

from attrs import evolve

from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, PaymentStatus, Purpose
from bakong_service.domain.policy import PaymentPolicy, Shop
from bakong_service.operations.business import Business
from bakong_service.vault import Vault
from kit.clocks import BEGIN

ACCOUNT = "sokha@aclb"
_POLICY = PaymentPolicy()
_PAYMENT = Payment(
    id=1, reference="pay_1", bill_number="0000000000001", md5="0" * 32, qr=b"", user_id=None, purpose=Purpose.ONE_OFF,
    plan=None, plan_version=None, subscription_id=None, subscription=None, quote=None, description=None, metadata=None,
    amount=Money(250, "USD"), credit_reserved=0, to_account=ACCOUNT, status=PaymentStatus.PENDING,
    flags=frozenset(), version=1, created_at=BEGIN, qr_expires_at=BEGIN + _POLICY.qr_life,
    deadline_at=BEGIN + _POLICY.deadline, watch_until=BEGIN + _POLICY.watch_for,
)  # fmt: skip


def a_business(**differently: Any) -> Business:
    """Return the rules of a coffee shop, which are the defaults unless said otherwise."""
    shop = Shop(bakong_account_id=ACCOUNT, merchant_name="Sokha Coffee")
    return evolve(Business(shop=shop, vault=Vault({"k1": b"0" * 32}, b"p" * 32)), **differently)


def a_payment(**differently: Any) -> Payment:
    """Return an open one-off payment of 2.50 dollars, made at `BEGIN`."""
    return evolve(_PAYMENT, **differently)
