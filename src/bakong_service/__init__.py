"""A payment and subscription service for Bakong KHQR, called over REST by a main backend.

`bakong_service.app` puts it together; `bakong_service.webhooks.verify` is what the main backend imports.
"""

__version__ = "0.1.0"
