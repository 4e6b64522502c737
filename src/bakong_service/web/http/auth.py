"""Checks who calls and what they may do: `Authorization: Bearer KEY`, compared in constant time.

There are two kinds of keys: `MAIN_BACKEND_API_KEY`, which has every scope, and the keys in the database,
`bks_<live|test>_<key id>_<secret><crc32>`. A revoked key is refused from the next request on.
"""

import hmac
import re
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import TypeVar

from attrs import frozen
from starlette.requests import Request

from bakong_service.domain.scope import SCOPES
from bakong_service.operations.keys import checksum
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage import api_keys
from bakong_service.storage.api_keys import ApiKey
from bakong_service.web.http import limits
from bakong_service.web.http.problems import Problem
from bakong_service.web.http.service import of

T = TypeVar("T")

MAIN = "main"

_KEY = re.compile(r"bks_(live|test)_([a-z0-9]{12})_([A-Za-z0-9]{43})([0-9a-f]{8})")


@frozen(kw_only=True)
class Caller:
    """The caller with a good key."""

    key_id: str
    family: str  # the same for a key and its successors
    scopes: frozenset[str]
    is_payer: bool = False  # has no key, but the client token of one payment

    @property
    def actor(self) -> str:
        """The name of the caller in histories and the audit log."""
        return "payer" if self.is_payer else f"api:{self.key_id}"


def caller(request: Request) -> Caller:
    """Return the caller of this request. Only routes with a scope have one."""
    found = request.state.caller
    assert isinstance(found, Caller)
    return found


async def act(request: Request, operation: Callable[[UnitOfWork], T]) -> T:
    """Run an operation in the caller's name, without an idempotency key."""
    return await of(request).run(caller(request).actor, operation, ip=request.scope["client_ip"])


async def authenticate(request: Request, presented: str) -> Caller:
    """Return the caller by the key that `bearer` found. Raises a 401 `Problem`, which doesn't say what is wrong with
    the key."""
    service = of(request)
    if not presented:
        await limits.spend_without_key(request)
        raise _unauthorised("missing_key", "give an API key: Authorization: Bearer KEY")
    hashed = api_keys.hashed(service.business.vault, presented)
    main = service.main_key_hash
    if main is not None and hmac.compare_digest(hashed, main):
        return await _admitted(request, Caller(key_id=MAIN, family=MAIN, scopes=frozenset(SCOPES)))
    key_id = key_id_of(presented, is_test=service.settings.is_test)
    key = None
    if key_id is not None and hashed in service.proven:
        await limits.enter_with_key(request, key_id)
    else:
        await limits.enter_without_key(request)
    if key_id is not None:
        key = await service.executor.read(lambda connection: api_keys.find(connection, key_id))
    now = service.clock.now()
    # Compare even if there is no such key, so that the time shows nothing.
    same = hmac.compare_digest(hashed, key.hash if key is not None else bytes(len(hashed)))
    if key is None or not same or not _is_good_here(request, key, now):
        service.proven.discard(hashed)
        await limits.wrong_key(request, "invalid_key")
        raise _unauthorised("invalid_key", "the API key is unknown, has ended, or isn't allowed from this address")
    who = await _admitted(request, Caller(key_id=key.key_id, family=key.family, scopes=key.scopes))
    service.proven.add(hashed)
    service.key_uses.note(key, now)
    return who


async def authenticate_payer(request: Request, reference: str | None, scope: str) -> Caller:
    """Return the payer whose client token opens the payment `reference`, with one scope for this request.

    `reference` is None if the token opens nothing. Raises a 401 `Problem` that doesn't say what was wrong.
    """
    if reference is None:
        await limits.spend_without_key(request)
        raise _unauthorised("invalid_key", "the client token is unknown, has expired, or is another payment's")
    await limits.enter_without_key(request)
    name = f"client:{reference}"
    request.state.caller = who = Caller(key_id=name, family=name, scopes=frozenset({scope}), is_payer=True)
    return who


def bearer(request: Request) -> str:
    """Return what a request presents as `Authorization: Bearer`; an empty text if it presents nothing."""
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    return presented.strip() if scheme.lower() == "bearer" else ""


async def _admitted(request: Request, who: Caller) -> Caller:
    """Count the request of a good key, and give it a place of its key."""
    request.state.caller = who
    await limits.spend(request, who.key_id)
    await limits.enter_with_key(request, who.key_id)
    return who


def key_id_of(presented: str, *, is_test: bool) -> str | None:
    """Return the id in a key. Return None for a wrong form or checksum, and for a key of the other mode."""
    found = _KEY.fullmatch(presented)
    if found is None or checksum(presented[:-8]) != found[4] or found[1] != ("test" if is_test else "live"):
        return None
    return found[2]


def permit(caller: Caller, scope: str) -> None:
    """Raise a 403 `Problem` if the caller doesn't have the scope."""
    if scope not in caller.scopes:
        raise Problem(status=403, code="missing_scope", detail=f"this needs a key with the scope {scope}")


def _is_good_here(request: Request, key: ApiKey, now: datetime) -> bool:
    genuine = api_keys.is_genuine(of(request).business.vault, key)  # its scopes weren't raised in the database
    return genuine and key.is_good(now) and _from_allowed(request, key.allowed_cidrs)


def _from_allowed(request: Request, cidrs: frozenset[str]) -> bool:
    if not cidrs:
        return True
    address = ip_address(request.scope["client_ip"])
    return any(address in ip_network(cidr) for cidr in cidrs)


def _unauthorised(code: str, detail: str) -> Problem:
    return Problem(status=401, code=code, detail=detail, headers={"WWW-Authenticate": 'Bearer realm="bakong-service"'})
