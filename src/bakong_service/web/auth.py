"""Who calls, and what they may do: `Authorization: Bearer KEY`, checked in constant time.

Two kinds of keys: the first one, `MAIN_BACKEND_API_KEY`, with every scope; and those kept in the database,
`bks_<live|test>_<key id>_<secret><crc32>`, where a revocation counts from the next request on.
"""

import hmac
import re
from datetime import timedelta
from ipaddress import ip_address, ip_network

from attrs import frozen
from starlette.requests import Request

from bakong_service.operations.keys import checksum
from bakong_service.storage import api_keys
from bakong_service.web import limits
from bakong_service.web.problems import Problem
from bakong_service.web.service import of

SCOPES = (
    "payments:read", "payments:write", "subscriptions:read", "subscriptions:write",
    "webhooks", "operator", "admin", "metrics",
)  # fmt: skip
MAIN = "main"

_KEY = re.compile(r"bks_(live|test)_([a-z0-9]{12})_([A-Za-z0-9]{43})([0-9a-f]{8})")
_USED_EVERY = timedelta(minutes=1)


@frozen(kw_only=True)
class Caller:
    """Whoever presented a good key."""

    key_id: str
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """As histories and the audit name them."""
        return f"api:{self.key_id}"


def caller(request: Request) -> Caller:
    """Who makes this request. Only for routes that ask for a scope."""
    found = request.state.caller
    assert isinstance(found, Caller)
    return found


async def authenticate(request: Request) -> Caller:
    """The caller, by their key. Raises a 401 `Problem` that doesn't say what was wrong with it."""
    service = of(request)
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    presented = presented.strip()
    await limits.admit(request)
    if scheme.lower() != "bearer" or not presented:
        raise _unauthorised("missing_key", "give an API key: Authorization: Bearer KEY")
    vault = service.business.vault
    hashed = api_keys.hashed(vault, presented)
    main = service.settings.main_backend_api_key
    if main is not None and hmac.compare_digest(hashed, api_keys.hashed(vault, main.reveal())):
        return Caller(key_id=MAIN, scopes=frozenset(SCOPES))
    key_id = key_id_of(presented)
    key = None
    if key_id is not None:
        key = await service.executor.read(lambda connection: api_keys.find(connection, key_id))
    now = service.clock.now()
    # Compared even where there is no such key, so that the time taken doesn't tell.
    same = hmac.compare_digest(hashed, key.hash if key is not None else bytes(len(hashed)))
    if key is None or not same or not key.is_good(now) or not _from_allowed(request, key.allowed_cidrs):
        await limits.wrong_key(request, "invalid_key")
        raise _unauthorised("invalid_key", "the API key is unknown, over, or not for this address")
    if key.last_used_at is None or key.last_used_at < now - _USED_EVERY:
        await service.executor.run(lambda connection: api_keys.used(connection, key.key_id, now=now))
    return Caller(key_id=key.key_id, scopes=key.scopes)


def key_id_of(presented: str) -> str | None:
    """The id within a well-formed key; None where its shape or checksum is wrong, which needs no database to know."""
    found = _KEY.fullmatch(presented)
    if found is None or checksum(presented[:-8]) != found[4]:
        return None
    return found[2]


def permit(caller: Caller, scope: str) -> None:
    """Raises a 403 `Problem` where the caller lacks the scope."""
    if scope not in caller.scopes:
        raise Problem(status=403, code="missing_scope", detail=f"this needs a key with the scope {scope}")


def _from_allowed(request: Request, cidrs: frozenset[str]) -> bool:
    if not cidrs:
        return True
    address = ip_address(request.scope["client_ip"])
    return any(address in ip_network(cidr) for cidr in cidrs)


def _unauthorised(code: str, detail: str) -> Problem:
    return Problem(status=401, code=code, detail=detail, headers={"WWW-Authenticate": 'Bearer realm="bakong-service"'})
