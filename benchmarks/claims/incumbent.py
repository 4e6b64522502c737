"""PyPI `bakong-khqr`: `python -m benchmarks.claims.incumbent KEY` answers a question of `questions.py`.

Runs in an environment where `bakong_khqr` is that package and not this one. Bakong's answers are made up here, and
stand in for `http.client`, so nothing is sent.
"""

import http.client
import json
import sys
from importlib import import_module
from typing import Any

module = import_module("bakong_khqr")  # a type checker would look into our package of this name
checksum = import_module("bakong_khqr.sdk.crc").CRC()

REFUSED = {"responseCode": 1, "errorCode": 6, "responseMessage": "Unauthorized, not yet requested", "data": None}
FAILED = {"responseCode": 1, "errorCode": 15, "responseMessage": "Internal server error", "data": None}
OTHER = {
    "responseCode": 0,
    "errorCode": None,
    "responseMessage": "Success",
    "data": {"hash": "a" * 64, "toAccountId": "stranger@aclb", "currency": "USD", "amount": 0.01},
}


def answered(status: int, body: dict[str, Any]) -> str:
    class Answer:
        def __init__(self) -> None:
            self.status = status

        def read(self) -> bytes:
            return json.dumps(body).encode()

    class Connection:
        def __init__(self, *_: object, **__: object) -> None: ...

        def request(self, *_: object, **__: object) -> None: ...

        def getresponse(self) -> Answer:
            return Answer()

        def close(self) -> None: ...

    http.client.HTTPSConnection = Connection  # type: ignore[assignment, misc]
    try:
        return f"`{json.dumps(module.KHQR('token').check_payment('0' * 32))}`"
    except ValueError as error:
        return f"`{type(error).__name__}`"


def made(**fields: Any) -> str:
    code = {"account_id": "sokha@aclb", "merchant_name": "Sokha", "merchant_city": "Phnom Penh", "currency": "USD"}
    try:
        payload = str(module.KHQR().create_qr(**code | {"amount": 10.5} | fields))
    except (ValueError, TypeError) as error:
        return f"is refused: `{type(error).__name__}`"
    return f"makes {shown(payload)}"


def shown(payload: str) -> str:
    """Return the part of a payload that a question is about: its amount, or its additional data."""
    if "62116" in payload:
        return "a code with the length `116` where two digits belong"
    at = payload.find("54", payload.find("5303"))
    length = int(payload[at + 2 : at + 4])
    return f"a code over `{payload[at + 4 : at + 4 + length]}`" if "29090005sokha" not in payload else "a code"


OBSERVATIONS = {
    "token_expired": lambda: answered(401, REFUSED),
    "server_error": lambda: answered(500, FAILED),
    "other_money": lambda: answered(200, OTHER),
    "long_labels": lambda: made(
        bill_number="1" * 25, phone_number="0" + "2" * 24, store_label="3" * 25, terminal_label="4" * 25
    ),
    "amount_nan": lambda: made(amount=float("nan")),
    "amount_too_exact": lambda: made(amount=1.005),
    "riel_with_decimals": lambda: made(amount=1000.75, currency="KHR"),
    "account_without_bank": lambda: made(account_id="sokha"),
    "short_checksum": lambda: f"{sum(checksum.value(str(n))[2:4] != '04' for n in range(20_000))} of 20,000",
}
print(OBSERVATIONS.get(sys.argv[1], lambda: "has no such function")())
