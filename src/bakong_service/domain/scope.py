"""The scopes of API keys: what a key may do."""

from typing import Literal, get_args

Scope = Literal[
    "payments:read", "payments:write", "subscriptions:read", "subscriptions:write",
    "webhooks", "operator", "admin", "metrics",
]  # fmt: skip
SCOPES: tuple[str, ...] = get_args(Scope)
