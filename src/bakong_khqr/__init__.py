"""KHQR, Cambodia's national payment QR code, and the Bakong Open API behind it.

Everything that a program needs is here: `from bakong_khqr import KHQR, BakongClient, verify`. Each name is loaded when
it is first asked for, so that a program that makes codes loads neither httpx nor Pillow. Three rooms are imported by
their own names: `bakong_khqr.testing`, the simulator, `bakong_khqr.doctor` and `bakong_khqr.images`.

The rooms, each of which imports only from those below it:

- `cli`: the command line `khqr`;
- `testing`: `BakongSimulator`, the Bakong Open API without a bank; `doctor`: why Bakong doesn't answer;
- `client.BakongClient` and `async_client.AsyncBakongClient`: the clients of that API;
- `calling`: how they send a call, and when they may; `retry`: when they send it again;
- `api`: each call as a value, what to send and how to read the answer;
- `diagnosis`: `verify` and `inspect`, with advice for people;
- `khqr`: `KHQR`, whose payload is made and read in `payload`;
- `images`: pictures of a payload, loaded when a `KHQR` is asked for one; `picture_options`: their options;
- `money`: currencies and amounts; `emv`: the data objects of any country's payment QR code;
- `errors`: everything that is raised.

A module whose name begins with an underscore isn't part of the public interface, and may change in any release.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bakong_khqr import emv, errors
    from bakong_khqr.api import Account, DeepLink, Outcome, SourceInfo, Token, Transaction
    from bakong_khqr.async_client import AsyncBakongClient
    from bakong_khqr.calling.budget import AsyncRequestBudget, DailyBudget, RequestBudget
    from bakong_khqr.calling.polling import GROWING, SPARING, PollingSchedule
    from bakong_khqr.client import BakongClient
    from bakong_khqr.diagnosis import InspectedObject, Inspection, Notice, Verification, inspect, verify
    from bakong_khqr.errors import (
        BakongError,
        Blocked,
        ErrorCode,
        InvalidKHQR,
        InvalidRequest,
        NotRegistered,
        PaymentExpired,
        PaymentMismatch,
        QuotaExceeded,
        RateLimited,
        ServerUnavailable,
        StaticQRNotSupported,
        TransactionFailed,
        Unauthorized,
        UnexpectedAnswer,
        UnreadableTransaction,
    )
    from bakong_khqr.khqr import KHQR
    from bakong_khqr.money import Currency
    from bakong_khqr.payload._fields import IndividualFields, MerchantFields
    from bakong_khqr.picture_options import CardOptions, PictureOptions
    from bakong_khqr.retry import RetryPolicy

__version__ = "0.1.0"

__all__ = [
    "GROWING",
    "KHQR",
    "SPARING",
    "Account",
    "AsyncBakongClient",
    "AsyncRequestBudget",
    "BakongClient",
    "BakongError",
    "Blocked",
    "CardOptions",
    "Currency",
    "DailyBudget",
    "DeepLink",
    "ErrorCode",
    "IndividualFields",
    "InspectedObject",
    "Inspection",
    "InvalidKHQR",
    "InvalidRequest",
    "MerchantFields",
    "NotRegistered",
    "Notice",
    "Outcome",
    "PaymentExpired",
    "PaymentMismatch",
    "PictureOptions",
    "PollingSchedule",
    "QuotaExceeded",
    "RateLimited",
    "RequestBudget",
    "RetryPolicy",
    "ServerUnavailable",
    "SourceInfo",
    "StaticQRNotSupported",
    "Token",
    "Transaction",
    "TransactionFailed",
    "Unauthorized",
    "UnexpectedAnswer",
    "UnreadableTransaction",
    "Verification",
    "emv",
    "errors",
    "inspect",
    "verify",
]

# Where each name lives; those that aren't here are errors.
_ROOMS = {
    "khqr": ("KHQR",),
    "money": ("Currency",),
    "payload._fields": (
        "IndividualFields",
        "MerchantFields",
    ),
    "picture_options": (
        "CardOptions",
        "PictureOptions",
    ),
    "diagnosis": (
        "InspectedObject",
        "Inspection",
        "Notice",
        "Verification",
        "inspect",
        "verify",
    ),
    "api": (
        "Account",
        "DeepLink",
        "Outcome",
        "SourceInfo",
        "Token",
        "Transaction",
    ),
    "client": ("BakongClient",),
    "async_client": ("AsyncBakongClient",),
    "retry": ("RetryPolicy",),
    "calling.polling": (
        "GROWING",
        "SPARING",
        "PollingSchedule",
    ),
    "calling.budget": (
        "AsyncRequestBudget",
        "DailyBudget",
        "RequestBudget",
    ),
}
_HOMES = dict.fromkeys(__all__, "errors") | {name: room for room, names in _ROOMS.items() for name in names}


if not TYPE_CHECKING:  # a checker that sees it takes any name, wrong ones too

    def __getattr__(name: str) -> Any:
        """Load a public name when it is first asked for; from then on it is an attribute like any other."""
        if name in ("emv", "errors"):
            value = import_module(f"{__name__}.{name}")
        elif name in _HOMES:
            value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
