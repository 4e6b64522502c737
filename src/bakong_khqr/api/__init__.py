"""The sans-IO core of the Bakong Open API: what to send, how to read the answer, and no network.

`endpoints` (arguments -> `Call`), `envelope` and `readers` (response -> value or error), `answers` (the values),
`token`, `confirmation` (is this the payment that was asked for?). The clients in `bakong_khqr.client` and
`bakong_khqr.async_client` do the talking.
"""

from bakong_khqr.api.answers import Account, DeepLink, Transaction
from bakong_khqr.api.arguments import SourceInfo
from bakong_khqr.api.call import Call, Request, Response
from bakong_khqr.api.confirmation import Confirmation, Difference, confirm
from bakong_khqr.api.readers import Outcome
from bakong_khqr.api.token import Token

__all__ = [
    "Account",
    "Call",
    "Confirmation",
    "DeepLink",
    "Difference",
    "Outcome",
    "Request",
    "Response",
    "SourceInfo",
    "Token",
    "Transaction",
    "confirm",
]
