"""`khqr check` asks whether a code was paid, and `khqr watch` waits until it is paid."""

import logging
import re
import sys
import threading
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from bakong_khqr.api import Difference, Transaction
from bakong_khqr.calling.polling import GROWING, SPARING
from bakong_khqr.cli.bakong import (
    BY_ENVIRONMENT,
    NO,
    UNUSABLE,
    YES,
    Asking,
    failed,
    transaction_dict,
    transaction_lines,
)
from bakong_khqr.cli.language import Language, spoken
from bakong_khqr.cli.payload_text import Payload, payload_text
from bakong_khqr.cli.writing import AsText, complain, say, say_json
from bakong_khqr.errors import BakongError, PaymentExpired, PaymentMismatch, StaticQRNotSupported
from bakong_khqr.khqr import KHQR

_MD5 = re.compile(r"[0-9a-fA-F]{32}\Z")

# What each state of an answer, and the waiting, is called in English and Khmer.
_SAID = {
    "paid": ("PAID, and it is the payment that the code asks for", "បានបង់ហើយ ហើយត្រូវនឹងការបង់ប្រាក់ដែលកូដស្នើសុំ"),
    "found": ("FOUND for this MD5. Compare it with your order", "រកឃើញតាម MD5 នេះ។ សូមផ្ទៀងផ្ទាត់ជាមួយការបញ្ជាទិញ"),
    "mismatch": ("NOT THIS PAYMENT: money came, but it differs", "មិនមែនការបង់ប្រាក់នេះទេ៖ មានប្រាក់ចូល ប៉ុន្តែខុសគ្នា"),
    "not_found": ("NOT FOUND (yet)", "រកមិនឃើញ (នៅឡើយ)"),
    "expired": ("NOT PAID: not found after the code's expiry", "មិនបានបង់៖ រកមិនឃើញក្រោយពេលកូដផុតកំណត់"),
    "waiting": ("waiting for", "កំពុងរង់ចាំ"),
    "press": ("press Enter when you have paid, to ask at once", "ចុច Enter ពេលបង់រួច ដើម្បីសួរភ្លាមៗ"),
}  # fmt: skip


def check(
    md5_or_payload: Annotated[
        Payload, Parameter(help="The payload, or its MD5 in 32 hexadecimal digits. `-` reads it from standard input.")
    ],
    /,
    *,
    asking: Asking = BY_ENVIRONMENT,
    language: Language = None,
    json: bool = False,
) -> int:
    """Ask Bakong once whether a code was paid.

    The payment is compared with a payload: account, currency, amount and time. For an MD5, it can only be found. The
    token comes from `BAKONG_TOKEN` or `--token-file`. This costs one call of the token's daily quota.

    Exit code 0: it is paid (for an MD5: found). 1: it isn't found, or another payment came. 2: wrong options. 3: the
    answer isn't known, which never means "not paid".

    Parameters
    ----------
    json
        Print one JSON object: `state` (`paid`, `found`, `mismatch`, `not_found` or `unknown`), `transaction`,
        `differences`.
    """
    tongue = spoken(language)
    try:
        text = payload_text(md5_or_payload)
        khqr = None if _MD5.match(text) else KHQR.decode(text)
        client = asking.client()
    except (BakongError, OSError) as error:
        return failed("check", error, tongue, json=json)
    try:
        with client as bakong:
            transaction = bakong.transaction_by_md5(text if khqr is None else khqr.md5)
    except (BakongError, OSError) as error:
        return failed("check", error, tongue, json=json, is_answer=True)
    if transaction is None:
        return _answer("not_found", tongue, json=json)
    if khqr is None:
        return _answer("found", tongue, transaction, json=json)
    verdict = transaction.matches(khqr)
    return _answer("paid" if verdict else "mismatch", tongue, transaction, verdict.differences, json=json)


def watch(
    payload: Annotated[Payload, Parameter(help="The payload of a dynamic code. `-` reads it from standard input.")],
    /,
    *,
    asking: Asking = BY_ENVIRONMENT,
    sparing: Annotated[bool, Parameter(negative="")] = False,
    language: Language = None,
    json: bool = False,
) -> int:
    """Wait until a code is paid, or its time is over.

    The command asks less and less often until the code's expiry, and a last time two minutes after it. Press Enter to
    ask at once. It waits during outages, and reports them on standard error.

    Exit code 0: it was paid. 1: no payment came, or another one. 2: wrong options. 3: Bakong's last answer isn't known,
    which never means "not paid".

    Parameters
    ----------
    sparing
        Ask at most twice, for a token with 100 calls a day. Enter still asks at once.
    json
        Print one JSON object: `state` (`paid`, `mismatch`, `expired`, `unknown`), `transaction`, `differences`.
    """
    tongue = spoken(language)
    from_stdin = payload == "-"
    try:
        khqr = KHQR.decode(payload_text(payload))
        client = asking.client()
    except (BakongError, OSError) as error:
        return failed("watch", error, tongue, json=json)
    _log_progress()
    hint = threading.Event()
    complain(f"{_said('waiting', tongue)} {khqr!r}")
    if not from_stdin and sys.stdin.isatty():
        complain(_said("press", tongue))
        threading.Thread(target=_listen, args=(hint,), daemon=True).start()
    try:
        with client as bakong:
            transaction = bakong.wait_for_payment(khqr, schedule=SPARING if sparing else GROWING, hint=hint)
    except PaymentMismatch as error:
        return _answer("mismatch", tongue, error.transaction, error.differences, json=json)
    except PaymentExpired:
        return _answer("expired", tongue, json=json)
    except StaticQRNotSupported as error:
        complain(f"khqr watch: {error}")
        return UNUSABLE
    except (BakongError, OSError) as error:
        return failed("watch", error, tongue, json=json, is_answer=True)
    return _answer("paid", tongue, transaction, json=json)


def _listen(hint: threading.Event) -> None:
    """Set `hint` each time Enter is pressed, so that the waiting client checks at once."""
    for _ in sys.stdin:
        hint.set()


def _log_progress() -> None:
    """Send the package's log of checks and outages to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(AsText("%(asctime)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("bakong_khqr").setLevel(logging.INFO)


def _answer(
    state: str,
    language: Literal["en", "km"],
    transaction: Transaction | None = None,
    differences: Sequence[object] = (),
    *,
    json: bool,
) -> int:
    """Print the answer to standard output and return its exit code: 0 for "paid" and "found", else 1."""
    if json:
        members: dict[str, Any] = {"state": state}
        if transaction is not None:
            members["transaction"] = transaction_dict(transaction)
        if differences:
            members["differences"] = [
                {"field": each.field, "expected": str(each.expected), "actual": str(each.actual)}
                for each in differences
                if isinstance(each, Difference)
            ]
        say_json(members)
    else:
        say(_said(state, language), *differences, *(transaction_lines(transaction, language) if transaction else ()))
    return YES if state in {"paid", "found"} else NO


def _said(what: str, language: Literal["en", "km"]) -> str:
    return _SAID[what][language == "km"]
