"""Who may call: registrations and their mailed codes, tokens, and each token's calls of the day."""

import base64
import hashlib
import hmac
import random
import string
from collections import deque

import attrs

from bakong_khqr.testing.exchange import write_json


@attrs.frozen
class Mail:
    """A mail that Bakong would have sent: the code that `verify` turns into a token."""

    email: str
    code: str = attrs.field(repr=False)


@attrs.define
class TokenRecord:
    """What is known of a token. `email` is its registration; `expires_at_ms` is `None` for one that never ends."""

    email: str | None
    expires_at_ms: int | None
    revoked: bool = False
    day: int = 0
    calls: int = 0

    def is_valid(self, now_ms: int) -> bool:
        """Neither ended nor replaced."""
        return not self.revoked and (self.expires_at_ms is None or now_ms < self.expires_at_ms)

    def count_call(self, day: int) -> int:
        """Count one more call on this day and say how many that makes."""
        self.day, self.calls = day, self.calls_on(day) + 1
        return self.calls

    def calls_on(self, day: int) -> int:
        """How many calls it made on this day, the latest it was used on or a later one."""
        return self.calls if day == self.day else 0


class TokenOffice:
    """Registers developers, mails codes into `outbox`, and issues tokens as Bakong does: JWT, HS256, `data.id`."""

    def __init__(self, rng: random.Random) -> None:
        self.outbox: deque[Mail] = deque(maxlen=100)
        self._rng = rng
        self._key = rng.randbytes(32)
        self._ids: dict[str, str] = {}  # email -> the id its tokens carry
        self._codes: dict[str, str] = {}  # mailed code -> email
        self._records: dict[str, TokenRecord] = {}

    def accept(self, token: str, *, email: str | None = None) -> None:
        """Take this text as a token that never ends."""
        if not token or token != token.strip() or not token.isascii() or not token.isprintable():
            raise ValueError("token: must be printable ASCII without blanks around it")
        self._records[token] = TokenRecord(email, None)

    def register(self, email: str) -> None:
        """Make an email known, so that `renew_token` answers it."""
        if not 1 <= len(email) <= 30:
            raise ValueError(f"email: {len(email)} characters, Bakong takes 1 to 30")
        self._ids.setdefault(email, f"{self._rng.getrandbits(64):016x}")

    def is_registered(self, email: str) -> bool:
        """Whether `renew_token` would answer it."""
        return email in self._ids

    def mail_code(self, email: str) -> str:
        """Mail a code of 20 characters and return it; the email is registered once the code comes back."""
        code = "".join(self._rng.choices(string.ascii_uppercase + string.digits, k=20))
        self._codes[code] = email
        self.outbox.append(Mail(email, code))
        return code

    def redeem(self, code: str) -> str | None:
        """The email a mailed code was for; each works once."""
        email = self._codes.pop(code, None)
        if email is not None:
            self.register(email)
        return email

    def issue(self, email: str, *, now_ms: int, lifetime_seconds: int, revoke_others: bool = False) -> str:
        """A fresh token for a registered email."""
        issued_at = now_ms // 1000
        # Two tokens of one second would be one text; the later is dated back, so that each renewal hands out a new one.
        while (token := self._sign(email, issued_at, lifetime_seconds)) in self._records:
            issued_at -= 1
        if revoke_others:
            for record in self._records.values():
                if record.email == email:
                    record.revoked = True
        self._records[token] = TokenRecord(email, (issued_at + lifetime_seconds) * 1000)
        return token

    def find(self, token: str) -> TokenRecord | None:
        """The record of a token, ended and revoked ones included."""
        return self._records.get(token)

    def revoke(self, token: str) -> None:
        """End a token at once. `KeyError` for one that isn't known."""
        self._records[token].revoked = True

    def records(self) -> list[TokenRecord]:
        """Every token's record, oldest first, without the tokens themselves."""
        return list(self._records.values())

    def _sign(self, email: str, issued_at: int, lifetime_seconds: int) -> str:
        claims = {"data": {"id": self._ids[email]}, "iat": issued_at, "exp": issued_at + lifetime_seconds}
        head = _base64(write_json({"alg": "HS256", "typ": "JWT"}).encode())
        signed = f"{head}.{_base64(write_json(claims).encode())}"
        return f"{signed}.{_base64(hmac.digest(self._key, signed.encode(), hashlib.sha256))}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
