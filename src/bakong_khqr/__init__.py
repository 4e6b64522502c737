"""KHQR, Cambodia's national payment QR code, and the Bakong Open API behind it.

This root is pure and light: payloads, their checks and their errors. What talks, draws or serves is imported by name:

- `bakong_khqr.client.BakongClient` and `bakong_khqr.async_client.AsyncBakongClient`: the Bakong Open API;
- `bakong_khqr.testing.BakongSimulator`: that API without a bank;
- `bakong_khqr.images`: pictures (a `KHQR` loads it when asked for one).
"""

from bakong_khqr import emv
from bakong_khqr.diagnosis import Inspection, Verification, inspect, verify
from bakong_khqr.errors import BakongError, ErrorCode, InvalidKHQR
from bakong_khqr.khqr import KHQR
from bakong_khqr.money import Currency

__version__ = "0.1.0"

__all__ = [
    "KHQR",
    "BakongError",
    "Currency",
    "ErrorCode",
    "Inspection",
    "InvalidKHQR",
    "Verification",
    "emv",
    "inspect",
    "verify",
]
