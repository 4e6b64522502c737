"""Webhooks by Standard Webhooks (https://www.standardwebhooks.com): how they are signed, sent, and verified.

    from bakong_service import webhooks

    event = webhooks.verify(body, headers, secret)

A receiver needs only `signing.py`. Nothing else is imported here, and it needs only the standard library.
`sender.py`, `connection.py`, `guard.py` and `resolver.py` send events; `verdict.py` says what an answer means.
"""

from bakong_service.webhooks.signing import InvalidSignature, sign, verify

__all__ = ["InvalidSignature", "sign", "verify"]
