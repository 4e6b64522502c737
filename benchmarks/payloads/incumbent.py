"""PyPI `bakong-khqr`: `python -m benchmarks.payloads.incumbent SECONDS` prints its rate as JSON.

It can neither decode nor verify. Runs in an environment where `bakong_khqr` is that package and not this one.
"""

import json
import sys
from importlib import import_module

from benchmarks.payloads.loop import rate

khqr = import_module("bakong_khqr").KHQR()  # a type checker would look into our package of this name


def encode() -> str:
    payload = khqr.create_qr(
        account_id="sokha@aclb",
        merchant_name="Sokha Coffee",
        merchant_city="Phnom Penh",
        currency="USD",
        amount=10.50,
        bill_number="INV-0042",
        phone_number="85512345678",
        store_label="Riverside",
        terminal_label="POS-01",
        static=False,
        expiration=1,
    )
    return str(khqr.generate_md5(payload))


assert len(encode()) == 32
print(json.dumps({"encode": rate(encode, float(sys.argv[1]))}))
