"""What webhooks are signed with. Both sides need it, so it takes nothing but the standard library.

A secret is `whsec_` and the key in base64, or a text of 32 characters and more whose UTF-8 bytes are the key. (Another
library may want base64 in either case: give it `base64(text)` for the latter.)
"""

import base64
import binascii
from collections.abc import Callable

_PREFIX = "whsec_"
_LEAST_KEY = 24  # bytes, as Standard Webhooks has it
_LEAST_TEXT = 32  # characters
_NEW_KEY = 32  # bytes


def key_of(secret: str) -> bytes:
    """The key that a secret stands for. Raises `ValueError` with the rule, never the secret."""
    if not secret.startswith(_PREFIX):
        if len(secret) < _LEAST_TEXT:
            raise ValueError(f"a webhook secret is whsec_ and base64, or a text of at least {_LEAST_TEXT} characters")
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"a webhook secret that starts with {_PREFIX} goes on in base64") from None
    if len(key) < _LEAST_KEY:
        raise ValueError(f"a webhook secret has at least {_LEAST_KEY} bytes after {_PREFIX}; this one has {len(key)}")
    return key


def new_secret(random_bits: Callable[[int], int]) -> str:
    """A new secret: `whsec_` and 256 random bits in base64."""
    key = random_bits(8 * _NEW_KEY).to_bytes(_NEW_KEY, "big")
    return _PREFIX + base64.b64encode(key).decode()
