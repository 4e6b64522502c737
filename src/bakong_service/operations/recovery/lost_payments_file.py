"""The file that `recover --from` reads: the payments that callers know, one a line.

    3f2a9c...                                   an MD5: 32 hexadecimal digits
    00020101021229...6304ABCD                   a KHQR payload, as the payer scanned it
    {"type": "payment.paid", "data": {...}}     an event, as a webhook receiver logged its body
    {"reference": "pay_...", "md5": "..."}      a payment, as an answer of the API shows it

Events of subscriptions and endpoints, and empty lines, are skipped. Any other line is an error, because it may be a
payment.
"""

import json
import re
from pathlib import Path
from typing import Any

from bakong_khqr.errors import InvalidKHQR
from bakong_khqr.khqr import KHQR
from bakong_khqr.money import write_amount
from bakong_service.domain.event import EVENT_TYPES, PAYMENT_EVENTS
from bakong_service.domain.lost_payment import LostPayment

_LONGEST_LINE = 64 * 1024
_MD5 = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
_TEXTS = ("reference", "user_id", "plan", "amount", "currency")


class LostPaymentsFileError(ValueError):
    """The file can't be used. The message has the number of the line, and says what a line may hold."""


def read_lost_payments(path: Path) -> dict[str, LostPayment]:
    """Return the payments of a file by their MD5, each once.

    Raises `LostPaymentsFileError`, also for a file that can't be read.
    """
    found: dict[str, LostPayment] = {}
    try:
        with path.open(encoding="utf-8") as lines:
            number = 0
            while line := lines.readline(_LONGEST_LINE + 1):
                number += 1
                payment = _payment(f"{path}: line {number}", line)
                if payment is not None:
                    known = found.get(payment.md5)
                    found[payment.md5] = payment if known is None else known.joined(payment)
    except (OSError, UnicodeDecodeError) as error:
        raise LostPaymentsFileError(f"{path}: {error}") from error
    return found


def _payment(where: str, line: str) -> LostPayment | None:
    if len(line) > _LONGEST_LINE:
        raise LostPaymentsFileError(f"{where} is longer than {_LONGEST_LINE} characters")
    text = line.strip()
    if not text:
        return None
    if _MD5.fullmatch(text):
        return LostPayment(md5=text.lower())
    if text.startswith("{"):
        return _from_json(where, text)
    return _from_payload(where, text)


def _from_payload(where: str, text: str) -> LostPayment:
    try:
        khqr = KHQR.decode(text)
    except InvalidKHQR as error:
        rule = "it takes an MD5, a KHQR payload, or a JSON object: an event or a payment"
        raise LostPaymentsFileError(f"{where} isn't a KHQR payload ({error}); {rule}") from error
    return LostPayment(
        md5=khqr.md5,
        amount=None if khqr.amount is None else write_amount(khqr.amount, khqr.currency),
        currency=khqr.currency.value,
    )


def _from_json(where: str, text: str) -> LostPayment | None:
    try:
        members = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise LostPaymentsFileError(f"{where} can't be read as JSON: {error}") from error
    kind = members.get("type")
    if kind is None:
        return _from_members(where, members)
    if kind not in EVENT_TYPES:
        raise LostPaymentsFileError(f"{where}: type is {json.dumps(kind)}, which isn't a type of event")
    if kind not in PAYMENT_EVENTS:
        return None
    data, sequence = members.get("data"), members.get("sequence")
    if not isinstance(data, dict) or type(sequence) is not int:
        raise LostPaymentsFileError(f"{where}: an event needs an object `data` and a whole number `sequence`")
    return _from_members(where, data, event=kind, sequence=sequence)


def _from_members(where: str, members: dict[str, Any], *, event: str | None = None, sequence: int = 0) -> LostPayment:
    for name in ("md5", "qr", *_TEXTS):
        if not isinstance(members.get(name), str | None):
            raise LostPaymentsFileError(f"{where}: {name} is {json.dumps(members[name])}; it takes a string")
    payload, md5 = members.get("qr"), members.get("md5")
    if payload is not None:
        of_payload = _from_payload(where, payload).md5
        if md5 is not None and md5.lower() != of_payload:
            raise LostPaymentsFileError(f"{where}: md5 is {md5}, but the MD5 of `qr` is {of_payload}")
        md5 = of_payload
    if md5 is None or not _MD5.fullmatch(md5):
        rule = "it takes 32 hexadecimal digits, unless there is a `qr`"
        raise LostPaymentsFileError(f"{where}: md5 is {json.dumps(md5)}; {rule}")
    known = {name: members.get(name) for name in _TEXTS}
    return LostPayment(md5=md5.lower(), event=event, sequence=sequence, **known)
