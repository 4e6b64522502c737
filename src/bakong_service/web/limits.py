"""What is limited: requests per API key, and wrong keys per address."""

from functools import cache, lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

import limits
from starlette.requests import Request

from bakong_service.storage import audit
from bakong_service.web.limiter import Allowance
from bakong_service.web.problems import Problem
from bakong_service.web.service import of

WRONG_KEYS = limits.parse("10/5 minutes")


async def admit(request: Request) -> None:
    """Raise a 429 `Problem` for an address that presented too many wrong keys, whatever key it presents now."""
    service = of(request)
    if allowance := await service.limiter.spent(WRONG_KEYS, "wrong-keys", origin(request)):
        detail = f"{WRONG_KEYS.amount} wrong keys came from this address; come back in {allowance.reset_seconds} s"
        headers = {"Retry-After": str(allowance.reset_seconds)}
        raise Problem(status=429, code="address_blocked", detail=detail, headers=headers)


async def wrong_key(request: Request, code: str) -> None:
    """Count a wrong key against its address, and write it to the audit log."""
    service, address = of(request), origin(request)
    await service.limiter.take(WRONG_KEYS, "wrong-keys", address)
    blocked = await service.limiter.spent(WRONG_KEYS, "wrong-keys", address) is not None
    details = {"path": request.url.path[:200], "code": code, "blocked": blocked}
    now = service.clock.now()
    await service.executor.run(
        lambda connection: audit.write(
            connection,
            service.business.identifiers,
            action="authentication.failed",
            actor="anonymous",
            ip=request.scope["client_ip"],
            level=audit.SECURITY,
            details=details,
            now=now,
        )
    )


async def spend(request: Request, key_id: str) -> Allowance:
    """Count a request against its key. Raises a 429 `Problem` where the rate is used up."""
    service = of(request)
    allowance = await service.limiter.take(_rate(service.settings.rate_limit), "key", key_id)
    if not allowance.granted:
        detail = f"this key may make {allowance.rate}; come back in {allowance.reset_seconds} s"
        headers = {"Retry-After": str(allowance.reset_seconds), **headers_of(allowance)}
        raise Problem(status=429, code="rate_limited", detail=detail, headers=headers)
    return allowance


@cache
def _rate(text: str) -> limits.RateLimitItem:
    return limits.parse(text)


def headers_of(allowance: Allowance) -> dict[str, str]:
    """`RateLimit` and `RateLimit-Policy`, as the IETF's draft writes them."""
    rate = allowance.rate
    return {
        "RateLimit-Policy": f'"key";q={rate.amount};w={rate.get_expiry()}',
        "RateLimit": f'"key";r={allowance.remaining};t={allowance.reset_seconds}',
    }


def origin(request: Request) -> str:
    """What a caller's address counts as: itself, or its /64 in IPv6, where one host has as many as it likes."""
    return _origin(request.scope["client_ip"])


@lru_cache(maxsize=1024)
def _origin(text: str) -> str:
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False))
    return str(address)
