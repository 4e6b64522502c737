"""PyPI `bakong-khqr`: `python incumbent.py SECONDS` prints its rate as JSON. It can neither decode nor verify.

Runs in an environment where `bakong_khqr` is that package and not this one.
"""

import json
import sys

from loop import rate

from bakong_khqr import KHQR  # type: ignore[attr-defined]  # the other package of this name

khqr = KHQR()


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
    return khqr.generate_md5(payload)


assert len(encode()) == 32
print(json.dumps({"encode": rate(encode, float(sys.argv[1]))}))
