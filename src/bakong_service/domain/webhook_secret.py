"""The secret that webhooks are signed with. Receivers use this module too, so it needs only the standard library.

A secret is `whsec_` and the key in base64, or a text of at least 32 characters whose UTF-8 bytes are the key. (If
another library accepts only base64, give it `base64(text)` of such a text.)
"""

import base64
import binascii
from collections.abc import Callable

_PREFIX = "whsec_"
_LEAST_KEY = 24  # bytes, as Standard Webhooks has it
_LEAST_TEXT = 32  # characters
_NEW_KEY = 32  # bytes


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for. Raises `ValueError` with the rule, but without the secret."""
    if not secret.startswith(_PREFIX):
        if len(secret) < _LEAST_TEXT:
            raise ValueError(f"a webhook secret is whsec_ and base64, or a text of at least {_LEAST_TEXT} characters")
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"a webhook secret that starts with {_PREFIX} must go on in base64") from None
    if len(key) < _LEAST_KEY:
        raise ValueError(f"a webhook secret has at least {_LEAST_KEY} bytes after {_PREFIX}; this one has {len(key)}")
    return key


def new_secret(random_bits: Callable[[int], int]) -> str:
    """Return a new secret: `whsec_` and 256 random bits in base64."""
    key = random_bits(8 * _NEW_KEY).to_bytes(_NEW_KEY, "big")
    return _PREFIX + base64.b64encode(key).decode()
