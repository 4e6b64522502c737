"""Limits the requests of an API key, the requests of an address without a key, and the wrong keys of an address."""

from functools import cache, lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

import limits
from starlette.requests import Request

from bakong_service.storage import audit
from bakong_service.web.http import places
from bakong_service.web.http.limiter import RateAllowance
from bakong_service.web.http.places import Kind, NoPlace
from bakong_service.web.http.problems import Problem
from bakong_service.web.http.service import of

WRONG_KEYS = limits.parse("10/5 minutes")
_OVERSIGHT = ("/metrics", "/health/ready")


async def wrong_key(request: Request, code: str) -> None:
    """Count a wrong key against its address, and write it to the audit log.

    Raises a 429 `Problem` if the address sent too many wrong keys. The answer then doesn't say that the key is wrong,
    and nothing is written. Good keys are never counted or refused here.
    """
    service, address = of(request), origin(request)
    allowance = await service.limiter.take(WRONG_KEYS, "wrong-keys", address, strict=True)
    if not allowance.granted:
        await places.of(request).linger()
        detail = f"{WRONG_KEYS.amount} wrong keys came from this address; try again in {allowance.reset_seconds} s"
        raise Problem(status=429, code="address_blocked", detail=detail, headers=_closing(allowance))
    details = {"path": request.url.path[:200], "code": code, "blocked": allowance.remaining == 0}
    await service.run(
        "anonymous",
        lambda work: work.audit("authentication.failed", level=audit.SECURITY, details=details),
        ip=request.scope["client_ip"],
    )


async def spend(request: Request, key_id: str) -> RateAllowance | None:
    """Count a request of a key, once. Return None without a limit. Raises a 429 `Problem` if the rate is used up."""
    if "allowance" not in request.scope:
        request.scope["allowance"] = await _take(request, "key", key_id)
    allowance: RateAllowance | None = request.scope["allowance"]
    if allowance is not None and not allowance.granted:
        detail = f"this key may make {allowance.rate}; try again in {allowance.reset_seconds} s"
        headers = {"Retry-After": str(allowance.reset_seconds), **headers_of(allowance)}
        raise Problem(status=429, code="rate_limited", detail=detail, headers=headers)
    return allowance


async def spend_without_key(request: Request) -> None:
    """Count a request without a good key for its address. Raises a 429 `Problem` if the rate is used up."""
    allowance = await _take(request, "address", origin(request))
    if allowance is not None and not allowance.granted:
        await places.of(request).linger()
        detail = f"an address may make {allowance.rate} without a key; try again in {allowance.reset_seconds} s"
        raise Problem(status=429, code="rate_limited", detail=detail, headers=_closing(allowance))


async def enter_without_key(request: Request) -> None:
    """Give a request without a good key a place of its address. Raises a 503 `Problem`."""
    await _enter(request, of(request).places.by_address, origin(request))


async def enter_with_key(request: Request, key_id: str) -> None:
    """Give a request a place of its key. Raises a 503 `Problem`."""
    here = of(request).places
    await _enter(request, here.metrics if request.scope["path"] in _OVERSIGHT else here.by_key, key_id)


async def enter_stream(request: Request) -> None:
    """Give a request that may wait for long a place among the streams of its key, or of its payment if a payer makes
    it. Raises a 503 `Problem`."""
    who, here = request.state.caller, of(request).places
    await _enter(request, here.payer_streams if who.is_payer else here.streams, who.key_id)


async def _enter(request: Request, kind: Kind, name: str) -> None:
    try:
        await places.of(request).move(kind, name)
    except NoPlace as error:
        headers = {"Retry-After": "1"}
        raise Problem(status=503, code="overloaded", detail=str(error), headers=headers, retryable=True) from error


async def _take(request: Request, *names: str) -> RateAllowance | None:
    service = of(request)
    if service.settings.rate_limit is None:
        return None
    return await service.limiter.take(_rate(service.settings.rate_limit), *names)


def _closing(allowance: RateAllowance) -> dict[str, str]:
    """Return the headers for a caller without a key that comes too often. A new connection costs the caller more."""
    return {"Retry-After": str(allowance.reset_seconds), "Connection": "close"}


@cache
def _rate(text: str) -> limits.RateLimitItem:
    return limits.parse(text)


def headers_of(allowance: RateAllowance | None) -> dict[str, str]:
    """Return `RateLimit` and `RateLimit-Policy` as in the IETF's draft; no headers if there is no limit."""
    if allowance is None:
        return {}
    rate = allowance.rate
    return {
        "RateLimit-Policy": f'"key";q={rate.amount};w={rate.get_expiry()}',
        "RateLimit": f'"key";r={allowance.remaining};t={allowance.reset_seconds}',
    }


def origin(request: Request) -> str:
    """Return the address under which a caller is counted. In IPv6 it is the /64, because one host has a whole /64."""
    return origin_of(request.scope["client_ip"])


@lru_cache(maxsize=1024)
def origin_of(text: str) -> str:
    """Return the address under which an address is counted."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False))
    return str(address)
