"""What the commands that ask Bakong share: the address, the token, and the printing of errors.

Their exit codes are 0 for yes (paid, exists, done), 1 for no, 2 for wrong options, and 3 if Bakong's answer isn't
known, which never means no.
"""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
from cyclopts import Parameter

from bakong_khqr import errors
from bakong_khqr.api import Token, Transaction
from bakong_khqr.api.connection import checked_timeout, options_from_env
from bakong_khqr.cli.writing import complain, say_json
from bakong_khqr.client import BakongClient
from bakong_khqr.errors import BakongError, InvalidKHQR, InvalidRequest
from bakong_khqr.money import format_amount

YES, NO, UNUSABLE, UNKNOWN = range(4)  # the exit codes


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Asking:
    """Where to ask, and with which token. The defaults are `BAKONG_TOKEN`, `BAKONG_EMAIL` and `BAKONG_BASE_URL`."""

    token_file: Annotated[Path | None, Parameter(help="A file with the token, instead of `BAKONG_TOKEN`.")] = None
    base_url: Annotated[str | None, Parameter(help="Another address of the API: SIT, your forwarder, a simulator.")] = (
        None
    )
    timeout_seconds: Annotated[float, Parameter(help="The timeout of each step of a call.")] = 30.0

    def token(self) -> Token | None:
        """Return the token of the file or the environment; `None` if neither is set."""
        if self.token_file is None:
            text = os.environ.get("BAKONG_TOKEN")
            return Token(text) if text else None
        try:
            return Token(self.token_file.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError:  # its message would show the content of the file
            raise InvalidRequest(f"token_file: {self.token_file} isn't text in UTF-8") from None

    def options(self) -> dict[str, Any]:
        """Return a client's options. Raises `OSError` for the token file, and `InvalidRequest`."""
        options: dict[str, Any] = options_from_env(os.environ) | {"token": self.token()}
        if self.base_url is not None:
            options["base_url"] = self.base_url
        return options | {"timeout_seconds": checked_timeout(self.timeout_seconds)}

    def client(self) -> BakongClient:
        """Make a client from these options and the environment."""
        return BakongClient(**self.options())


BY_ENVIRONMENT = Asking()
"""Ask with the token and the address of the environment, as without any option."""

# What to do about an error, by its class, in English and Khmer. The first class that fits counts.
_ADVICE: dict[type[BakongError], tuple[str, str]] = {
    errors.Unauthorized: ("renew the token: khqr token renew", "សូមបន្តថូខឹន៖ khqr token renew"),
    errors.Blocked: ("khqr doctor says why", "សូមសួរ khqr doctor ថាបណ្ដាលមកពីអ្វី"),
    errors.QuotaExceeded: ("the quota is renewed at midnight in Phnom Penh", "ចំនួនសួរនឹងមានវិញនៅពាក់កណ្ដាលអធ្រាត្រម៉ោងភ្នំពេញ"),
    errors.RateLimited: ("wait and ask again", "សូមរង់ចាំ រួចសួរម្តងទៀត"),
    errors.ServerUnavailable: ("ask again later, or run khqr doctor", "សូមសួរម្តងទៀតនៅពេលក្រោយ ឬសួរ khqr doctor"),
    errors.NotRegistered: ("use the email that was registered with Bakong", "សូមប្រើអ៊ីមែលដែលបានចុះឈ្មោះជាមួយបាគង"),
    errors.TransactionFailed: ("the code may be paid again", "កូដនេះអាចបង់ម្តងទៀតបាន"),
    errors.StaticQRNotSupported: ("make a dynamic code, with an amount", "សូមបង្កើតកូដឌីណាមិកដែលមានចំនួនទឹកប្រាក់"),
    errors.UnreadableTransaction: ("it may be money: look in your bank's app", "អាចជាប្រាក់ពិត៖ សូមពិនិត្យកម្មវិធីធនាគាររបស់អ្នក"),
    errors.InvalidRequest: ("khqr doctor says why", "សូមសួរ khqr doctor ថាបណ្ដាលមកពីអ្វី"),
    errors.UnexpectedAnswer: ("ask again later", "សូមសួរម្តងទៀតនៅពេលក្រោយ"),
}
_UNKNOWN_STATE = ("unknown, which doesn't mean no", "មិនដឹងចម្លើយ (មិនមែនមានន័យថាទេ)")


def failed(
    command: str, error: Exception, language: Literal["en", "km"], *, json: bool, is_answer: bool = False
) -> int:
    """Print an error to standard error (and with `json` to standard output too) and return the exit code.

    The code is 2 if the caller's options or payload are wrong or a file can't be read, and 3 if the answer isn't known.
    With `is_answer`, the options were checked before, so an `InvalidRequest` comes from Bakong or another server. It
    says nothing about the payment, and the options may be right.
    """
    if isinstance(error, (InvalidKHQR, OSError)) or (isinstance(error, InvalidRequest) and not is_answer):
        complain(f"khqr {command}: {error}")
        return UNUSABLE
    if json:
        retry_at = error.retry_at.isoformat() if isinstance(error, BakongError) and error.retry_at else None
        say_json({"state": "unknown", "error": type(error).__name__, "message": str(error), "retry_at": retry_at})
    advice = next((texts[language == "km"] for kind, texts in _ADVICE.items() if isinstance(error, kind)), "")
    state = _UNKNOWN_STATE[language == "km"]
    complain(f"khqr {command}: {state}: {error}", *([advice] if advice else []))
    return UNKNOWN


def transaction_dict(transaction: Transaction) -> dict[str, Any]:
    """Return a transaction for JSON: the amount as a string, times in ISO 8601, without absent members."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in attrs.asdict(transaction).items()
        if value is not None
    }


def transaction_lines(transaction: Transaction, language: Literal["en", "km"]) -> list[str]:
    """Return the lines that show a transaction to a person."""
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
        "external_ref": "reference of the payer's bank", "hash": "hash", "tracking_status": "tracking status",
    },
    "km": {
        "amount": "ចំនួនទឹកប្រាក់", "to_account_id": "ទៅ", "from_account_id": "ពី", "created_at": "ផ្ញើនៅ",
        "external_ref": "លេខយោងធនាគារអ្នកបង់", "hash": "ហាស", "tracking_status": "ស្ថានភាព",
    },
}  # fmt: skip
