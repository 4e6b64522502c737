"""The Bakong Open API without a network: what to send, and how to read the answer.

`endpoints` makes a `Call` from arguments, `envelope` and `readers` make a value or an error from a response, `answers`
has the values, `token` the token, and `confirmation` compares a payment with its code. The clients in
`bakong_khqr.client` and `bakong_khqr.async_client` use the network.
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
