"""What the commands that ask Bakong have in common: where and with which token, and how an error is told.

Their exit codes: 0 for yes (paid, exists, done), 1 for no, 2 for options that can't be used, 3 when Bakong's answer
isn't known, which is never a no.
"""

import json as json_module
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.request import getproxies

import attrs
import httpx
from cyclopts import Parameter

from bakong_khqr import errors
from bakong_khqr.api import Token, Transaction
from bakong_khqr.api.connection import checked_timeout, options_from_env
from bakong_khqr.client import BakongClient
from bakong_khqr.errors import BakongError, InvalidKHQR, InvalidRequest
from bakong_khqr.money import format_amount

YES, NO, UNUSABLE, UNKNOWN = range(4)


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Asking:
    """Where to ask, and with which token. `BAKONG_TOKEN`, `BAKONG_EMAIL` and `BAKONG_BASE_URL` are the defaults."""

    token_file: Annotated[Path | None, Parameter(help="A file with the token, in place of `BAKONG_TOKEN`.")] = None
    base_url: Annotated[str | None, Parameter(help="Another address of the API: SIT, your forwarder, a simulator.")] = (
        None
    )
    timeout_seconds: Annotated[float, Parameter(help="For each step of a call.")] = 30.0

    def token(self) -> Token | None:
        """The token of the file or the environment; None where neither is set."""
        if self.token_file is None:
            text = os.environ.get("BAKONG_TOKEN")
            return Token(text) if text else None
        try:
            return Token(self.token_file.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError:  # its message would show what is in the file
            raise InvalidRequest(f"token_file: {self.token_file} isn't text in UTF-8") from None

    def options(self) -> dict[str, Any]:
        """A client's options. Raises `OSError` for a file that can't be read, `InvalidRequest` for a bad value."""
        options: dict[str, Any] = options_from_env(os.environ) | {"token": self.token()}
        if self.base_url is not None:
            options["base_url"] = self.base_url
        return options | {"timeout_seconds": checked_timeout(self.timeout_seconds)}

    def client(self) -> BakongClient:
        """A client by these options and the environment."""
        options = self.options()
        with proxies_of_the_environment():
            return BakongClient(**options)


@contextmanager
def proxies_of_the_environment() -> Iterator[None]:
    """Around the making of a client of httpx, which reads its proxies from the environment: names those that are unfit.

    Raises `InvalidRequest` without what httpx says, as that shows parts of a proxy's URL, and so of its password.
    """
    try:
        yield
    except BakongError:
        raise
    except (httpx.InvalidURL, ValueError, ImportError) as error:
        names = ", ".join(f"{kind.upper()}_PROXY" for kind in getproxies() if kind in {"http", "https", "all", "no"})
        why = "SOCKS needs `pip install httpx[socks]`" if isinstance(error, ImportError) else "must be a proxy's URL"
        raise InvalidRequest(f"{names}: can't be used: {why}; it isn't shown, as it may hold a password") from None


BY_ENVIRONMENT = Asking()


# What to say of an error, and what to do, by its class: English, Khmer.
_SAID: dict[type[BakongError], tuple[str, str]] = {
    errors.Unauthorized: ("renew the token: khqr token renew", "សូមបន្តថូខឹន៖ khqr token renew"),
    errors.Blocked: ("ask khqr doctor which it is", "សូមសួរ khqr doctor ថាបណ្ដាលមកពីអ្វី"),
    errors.QuotaExceeded: ("the calls come back at midnight in Phnom Penh", "ចំនួនសួរនឹងមានវិញនៅពាក់កណ្ដាលអធ្រាត្រម៉ោងភ្នំពេញ"),
    errors.RateLimited: ("wait and ask again", "សូមរង់ចាំ រួចសួរម្ដងទៀត"),
    errors.ServerUnavailable: ("ask again later, or ask khqr doctor", "សូមសួរម្ដងទៀតនៅពេលក្រោយ ឬសួរ khqr doctor"),
    errors.NotRegistered: ("use the email that was registered with Bakong", "សូមប្រើអ៊ីមែលដែលបានចុះឈ្មោះជាមួយបាគង"),
    errors.TransactionFailed: ("the code may be paid again", "កូដនេះអាចបង់ម្ដងទៀតបាន"),
    errors.StaticQRNotSupported: ("make a dynamic code, with an amount", "សូមបង្កើតកូដឌីណាមិកដែលមានចំនួនទឹកប្រាក់"),
    errors.UnreadableTransaction: ("it may be money: look in your bank's app", "អាចជាប្រាក់ពិត៖ សូមពិនិត្យកម្មវិធីធនាគាររបស់អ្នក"),
    errors.InvalidRequest: ("ask khqr doctor why", "សូមសួរ khqr doctor ថាបណ្ដាលមកពីអ្វី"),
    errors.UnexpectedAnswer: ("ask again later", "សូមសួរម្ដងទៀតនៅពេលក្រោយ"),
}
_UNKNOWN_STATE = ("unknown, which isn't a no", "មិនដឹងចម្លើយ (មិនមែនមានន័យថាទេ)")


def failed(
    command: str, error: Exception, language: Literal["en", "km"], *, json: bool, is_answer: bool = False
) -> int:
    """Tell an error on standard error (and as JSON on standard output) and return the exit code.

    `is_answer`: all that was given has been checked already, so an `InvalidRequest` is Bakong's answer, or another
    server's at that address. It is no word on the payment, and the options may be right.
    """
    if isinstance(error, (InvalidKHQR, OSError)) or (isinstance(error, InvalidRequest) and not is_answer):
        print(f"khqr {command}: {error}", file=sys.stderr)
        return UNUSABLE
    if json:
        retry_at = error.retry_at.isoformat() if isinstance(error, BakongError) and error.retry_at else None
        print(
            json_module.dumps(
                {"state": "unknown", "error": type(error).__name__, "message": str(error), "retry_at": retry_at}
            )
        )
    advice = next((texts[language == "km"] for kind, texts in _SAID.items() if isinstance(error, kind)), "")
    state = _UNKNOWN_STATE[language == "km"]
    print(f"khqr {command}: {state}: {error}" + (f"\n{advice}" if advice else ""), file=sys.stderr)
    return UNKNOWN


def transaction_dict(transaction: Transaction) -> dict[str, Any]:
    """A transaction as JSON can hold it: the amount as text, times in ISO 8601, without what is absent."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in attrs.asdict(transaction).items()
        if value is not None
    }


def transaction_lines(transaction: Transaction, language: Literal["en", "km"]) -> list[str]:
    """A transaction for people."""
    names = _NAMES[language]
    values = {
        "amount": format_amount(transaction.amount, transaction.currency),
        "to_account_id": transaction.to_account_id,
        "from_account_id": transaction.from_account_id,
        "created_at": transaction.created_at and transaction.created_at.astimezone().isoformat(sep=" "),
        "external_ref": transaction.external_ref,
        "hash": transaction.hash,
        "tracking_status": transaction.tracking_status,
    }
    return [f"{names[name]}: {value}" for name, value in values.items() if value]


_NAMES = {
    "en": {
        "amount": "amount", "to_account_id": "to", "from_account_id": "from", "created_at": "sent at",
        "external_ref": "payer bank's reference", "hash": "hash", "tracking_status": "tracking status",
    },
    "km": {
        "amount": "ចំនួនទឹកប្រាក់", "to_account_id": "ទៅ", "from_account_id": "ពី", "created_at": "ផ្ញើនៅ",
        "external_ref": "លេខយោងធនាគារអ្នកបង់", "hash": "ហាស", "tracking_status": "ស្ថានភាព",
    },
}  # fmt: skip
