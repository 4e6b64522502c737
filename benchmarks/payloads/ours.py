"""This package: `python -m benchmarks.payloads.ours SECONDS` prints its rates as JSON."""

import json
import sys
from datetime import timedelta

from bakong_khqr import KHQR, verify
from benchmarks.payloads.loop import rate

TEN_MINUTES = timedelta(minutes=10)


def encode() -> str:
    return KHQR.individual(
        bakong_account_id="sokha@aclb",
        merchant_name="Sokha Coffee",
        merchant_city="Phnom Penh",
        currency="USD",
        amount="10.50",
        bill_number="INV-0042",
        mobile_number="85512345678",
        store_label="Riverside",
        terminal_label="POS-01",
        expires_in=TEN_MINUTES,
    ).md5


seconds = float(sys.argv[1])
payload = KHQR.individual(
    bakong_account_id="sokha@aclb",
    merchant_name="Sokha Coffee",
    merchant_city="Phnom Penh",
    currency="USD",
    amount="10.50",
    bill_number="INV-0042",
    mobile_number="85512345678",
    store_label="Riverside",
    terminal_label="POS-01",
    expires_in=timedelta(hours=1),
).payload
assert verify(payload)
print(
    json.dumps(
        {
            "encode": rate(encode, seconds),
            "decode": rate(lambda: KHQR.decode(payload), seconds),
            "verify": rate(lambda: verify(payload), seconds),
        }
    )
)
