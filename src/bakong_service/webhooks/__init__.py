"""Webhooks after Standard Webhooks (https://www.standardwebhooks.com): how they are signed, sent, and verified.

    from bakong_service import webhooks

    event = webhooks.verify(body, headers, secret)

`signing.py` is all that a receiver needs, and all that is imported here; it takes nothing but the standard library.
`sender.py`, `guard.py` and `resolver.py` are the sending side, `verdict.py` says what an answer means.
"""

from bakong_service.webhooks.signing import InvalidSignature, sign, verify

__all__ = ["InvalidSignature", "sign", "verify"]
