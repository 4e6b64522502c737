"""KHQR, Cambodia's national payment QR code, and the Bakong Open API behind it.

This root is pure and light: payloads, their checks and their errors. What talks, draws or serves is imported by name.
The rooms, each of which knows only those below it:

- `cli`: the command line `khqr`;
- `testing`: `BakongSimulator`, the Bakong Open API without a bank; `doctor`: why Bakong doesn't answer;
- `client.BakongClient` and `async_client.AsyncBakongClient`: that API; `sending` and `async_sending` are how they send,
  `retry`, `polling` and `budget` when they may;
- `api`: each call as a value, what to send and how to read the answer;
- `diagnosis`: `verify` and `inspect`, with `notices` and `meaning` for people;
- `khqr`: `KHQR`, made by `encoding` and read by `reading` and `decoding`; `advice` is what to do about each fault;
- `images`: pictures of a payload, loaded when a `KHQR` is asked for one;
- `fields`, `account`, `additional_data`, `timestamp` and their `template`: a KHQR's own rules; `money`: its amounts;
- `emv`: the data objects of any country's payment QR code;
- `errors`: everything that is raised; `whole_file`: files written whole or not at all.
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
