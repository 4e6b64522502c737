"""The errors of this package. A branch says what the caller can do about an error, not where it came from.

    BakongError                       .transient: the same call may go through later; .retry_at: not before then
    ├── InvalidKHQR (ValueError)      a payload or a field of one is wrong: correct it
    ├── Unauthorized                  the token is missing, expired, or of another environment: renew it
    ├── Blocked                       refused with a page in HTML: country, firewall, or a path closed for everybody
    ├── QuotaExceeded                 the day's calls are spent: wait for the next day in Phnom Penh
    ├── RateLimited                   too fast: wait until `retry_at`
    ├── ServerUnavailable             Bakong is down, slow or cut off: try again later
    ├── InvalidRequest                Bakong refused what was sent: correct it
    ├── NotRegistered                 this email has no Bakong account for developers
    ├── TransactionFailed             the payer's transaction failed; the code may be paid again
    ├── StaticQRNotSupported          Bakong doesn't track a static code by its MD5
    ├── UnexpectedAnswer              an answer that we don't understand. It is never "unpaid"
    │   └── UnreadableTransaction     a success that can't be read: it may be money, look at `.body`
    ├── PaymentExpired                no payment came before the code's expiry and grace
    └── PaymentMismatch               a payment came, but not this one: see `.transaction` and `.differences`

A wrong Python type is a `TypeError`. Secrets never enter a message.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from reprlib import Repr
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bakong_khqr.api.answers import Transaction


class ErrorCode(IntEnum):
    """What is wrong with a payload: 1 to 51 as the official SDK numbers them, from 1001 on our own.

    The Open API has error codes of its own, and some of their numbers are the same. The errors below name the Open
    API's codes.
    """

    BAKONG_ACCOUNT_ID_REQUIRED = 1
    MERCHANT_NAME_REQUIRED = 2
    BAKONG_ACCOUNT_ID_INVALID = 3
    TRANSACTION_AMOUNT_INVALID = 4
    MERCHANT_TYPE_REQUIRED = 5
    BAKONG_ACCOUNT_ID_LENGTH_INVALID = 6
    MERCHANT_NAME_LENGTH_INVALID = 7
    KHQR_INVALID = 8
    CURRENCY_TYPE_REQUIRED = 9
    BILL_NUMBER_LENGTH_INVALID = 10
    STORE_LABEL_LENGTH_INVALID = 11
    TERMINAL_LABEL_LENGTH_INVALID = 12
    CONNECTION_TIMEOUT = 13
    INVALID_DEEP_LINK_SOURCE_INFO = 14
    INTERNAL_SERVER = 15
    PAYLOAD_FORMAT_INDICATOR_LENGTH_INVALID = 16
    POINT_INITIATION_LENGTH_INVALID = 17
    MERCHANT_CODE_LENGTH_INVALID = 18
    TRANSACTION_CURRENCY_LENGTH_INVALID = 19
    COUNTRY_CODE_LENGTH_INVALID = 20
    MERCHANT_CITY_LENGTH_INVALID = 21
    CRC_LENGTH_INVALID = 22
    PAYLOAD_FORMAT_INDICATOR_TAG_REQUIRED = 23
    CRC_TAG_REQUIRED = 24
    MERCHANT_CATEGORY_TAG_REQUIRED = 25
    COUNTRY_CODE_TAG_REQUIRED = 26
    MERCHANT_CITY_TAG_REQUIRED = 27
    UNSUPPORTED_CURRENCY = 28
    INVALID_DEEP_LINK_URL = 29
    MERCHANT_ID_REQUIRED = 30
    ACQUIRING_BANK_REQUIRED = 31
    MERCHANT_ID_LENGTH_INVALID = 32
    ACQUIRING_BANK_LENGTH_INVALID = 33
    MOBILE_NUMBER_LENGTH_INVALID = 34
    ACCOUNT_INFORMATION_LENGTH_INVALID = 35
    TAG_NOT_IN_ORDER = 36
    LANGUAGE_PREFERENCE_REQUIRED = 37
    LANGUAGE_PREFERENCE_LENGTH_INVALID = 38
    MERCHANT_NAME_ALTERNATE_LANGUAGE_REQUIRED = 39
    MERCHANT_NAME_ALTERNATE_LANGUAGE_LENGTH_INVALID = 40
    MERCHANT_CITY_ALTERNATE_LANGUAGE_LENGTH_INVALID = 41
    PURPOSE_OF_TRANSACTION_LENGTH_INVALID = 42
    UPI_ACCOUNT_INFORMATION_LENGTH_INVALID = 43
    UPI_ACCOUNT_INFORMATION_INVALID_CURRENCY = 44
    EXPIRATION_TIMESTAMP_REQUIRED = 45
    KHQR_EXPIRED = 46
    INVALID_DYNAMIC_KHQR = 47
    POINT_OF_INITIATION_METHOD_INVALID = 48
    EXPIRATION_TIMESTAMP_LENGTH_INVALID = 49
    EXPIRATION_TIMESTAMP_IN_THE_PAST = 50
    INVALID_MERCHANT_CATEGORY_CODE = 51

    # Ours: faults that the official SDK lets pass or has no code for.
    MALFORMED_TLV = 1001
    REPEATED_DATA_OBJECT = 1002
    TEMPLATE_LENGTH_INVALID = 1003
    PAYLOAD_LENGTH_INVALID = 1004
    CHARACTER_REFUSED = 1005
    MERCHANT_TYPE_AMBIGUOUS = 1006
    PAYLOAD_FORMAT_INDICATOR_INVALID = 1007
    COUNTRY_CODE_INVALID = 1008
    CRC_NOT_LAST = 1009
    NESTING_TOO_DEEP = 1010


class BakongError(Exception):
    """The root of everything this package raises."""

    transient: bool = False
    """Whether the same call may succeed later."""

    def __init__(self, message: str, *, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.retry_at = retry_at
        """When to call again at the earliest, an aware `datetime` in UTC; `None` if that isn't known."""

    def __reduce__(self) -> tuple[object, ...]:
        # `Exception.__reduce__` calls the class with the message alone, and our classes need more arguments. Without
        # this method, no error could be sent back from a worker process.
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[BakongError], args: tuple[object, ...], state: dict[str, object]) -> BakongError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InvalidKHQR(BakongError, ValueError):  # noqa: N818 - the name is part of the public interface
    """A payload, or a field of one, breaks a rule."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        field: str | None = None,
        offset: int | None = None,
        length: int | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        """What is wrong: an `ErrorCode`."""
        self.field = field
        """The public name of the field: `"merchant_name"`."""
        self.offset = offset
        """The place of the fault in the payload, counted in characters from 0.

        If a code was being made, there is no payload yet: it is the place of the refused character in the field.
        """
        self.length = length
        """How many characters the value has, if its length matters."""
        self.limit = limit
        """How many characters the value may have, if its length matters."""


class Unauthorized(BakongError):  # noqa: N818
    """HTTP 401 or error code 6: the token is missing, malformed, expired, or was issued by another environment."""


class Blocked(BakongError):  # noqa: N818
    """HTTP 403 without an error code of Bakong's: the country, a firewall, or a path that is closed for everybody.

    It says nothing about the payment.
    """


class QuotaExceeded(BakongError):  # noqa: N818
    """Error code 17, or our own budget: the day's calls are spent. `retry_at` is the next day in Phnom Penh."""

    transient = True


class RateLimited(BakongError):  # noqa: N818
    """HTTP 429: too many calls at once. `retry_at` follows the answer's `Retry-After`, if it has one."""

    transient = True


class ServerUnavailable(BakongError):  # noqa: N818
    """HTTP 5xx, error codes 4, 7, 9 and 15, a timeout, a broken connection, or no address for the host."""

    transient = True


class InvalidRequest(BakongError, ValueError):  # noqa: N818
    """HTTP 400 or 404, or error codes 5, 8 and 12: Bakong refused what was sent."""


class NotRegistered(BakongError):  # noqa: N818
    """Error code 10: this email address isn't registered with Bakong."""


class TransactionFailed(BakongError):  # noqa: N818
    """Error code 3: the payer's transaction failed. The same code may still be paid."""


class StaticQRNotSupported(BakongError):  # noqa: N818
    """Error code 2: a static code can't be followed by its MD5."""


class UnexpectedAnswer(BakongError):  # noqa: N818
    """An answer that we don't understand: not JSON, an unknown code, a missing member. It never means "unpaid"."""


class UnreadableTransaction(UnexpectedAnswer):
    """Bakong said success, but the transaction can't be read. It may be money: keep `.body` and ask again."""

    def __init__(self, message: str, *, body: bytes) -> None:
        super().__init__(message)
        self.body = body
        """The answer as bytes. It holds account IDs, so no message and no repr shows it."""


class PaymentExpired(BakongError):  # noqa: N818
    """A conclusive "not found" after the code's expiry and grace: nobody paid in time."""


class PaymentMismatch(BakongError):  # noqa: N818
    """Money came under this code's key, but not the payment that was asked for."""

    def __init__(self, message: str, *, transaction: Transaction, differences: Sequence[object]) -> None:
        super().__init__(message)
        self.transaction = transaction
        """What came."""
        self.differences = tuple(differences)
        """Each field that differs, with what was expected and what was seen."""


class _Shown(Repr):
    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write an int of more than 4,300 digits, and if that limit is lifted, writing it takes long.
        return super().repr_int(x, level) if x.bit_length() < _MOST_BITS else f"an int of {x.bit_length()} bits"


_MOST_BITS = 200  # about 60 digits

shown = _Shown().repr
"""A value as a message shows it: short, whatever it is."""


def shown_length(value: object) -> int | None:
    """Return how long a value is when it is written, `None` for an `int` too large for that."""
    return None if isinstance(value, int) and value.bit_length() >= _MOST_BITS else len(str(value))
