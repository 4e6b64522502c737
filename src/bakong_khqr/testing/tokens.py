"""Who may call: registrations, mailed codes, tokens, and the calls of each token today."""

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
    """A mail that Bakong would send, with the code that `verify` changes into a token."""

    email: str
    code: str = attrs.field(repr=False)


@attrs.define
class TokenRecord:
    """What the simulator knows about a token.

    `email` is the address that it was issued to, or None. Without `expires_at_ms` it never expires. `calls` counts its
    calls on one `day` only, the day of its last call, in days since 1970.
    """

    email: str | None
    expires_at_ms: int | None
    revoked: bool = False
    day: int = 0
    calls: int = 0

    def is_valid(self, now_ms: int) -> bool:
        """Return whether the token hasn't expired and hasn't been revoked."""
        return not self.revoked and (self.expires_at_ms is None or now_ms < self.expires_at_ms)

    def count_call(self, day: int) -> int:
        """Count one more call on this day, and return the number of calls."""
        self.day, self.calls = day, self.calls_on(day) + 1
        return self.calls

    def calls_on(self, day: int) -> int:
        """Return how many calls the token made on this day: 0 if its last call was on another day."""
        return self.calls if day == self.day else 0


class TokenOffice:
    """Registers developers, puts mailed codes into `outbox`, and issues tokens.

    A token is like Bakong's: a JWT, signed with HS256, with the developer's ID in the claim `data.id`.
    """

    def __init__(self, rng: random.Random) -> None:
        self.outbox: deque[Mail] = deque(maxlen=100)
        self._rng = rng
        self._key = rng.randbytes(32)
        self._ids: dict[str, str] = {}  # email -> the ID in its tokens
        self._codes: dict[str, str] = {}  # mailed code -> email
        self._records: dict[str, TokenRecord] = {}

    def accept(self, token: str, *, email: str | None = None) -> None:
        """Accept this text as a token that never expires."""
        if not token or token != token.strip() or not token.isascii() or not token.isprintable():
            raise ValueError("token: must be printable ASCII without spaces around it")
        self._records[token] = TokenRecord(email, None)

    def register(self, email: str) -> None:
        """Register an email, so that `renew_token` accepts it."""
        if not 1 <= len(email) <= 30:
            raise ValueError(f"email: it has {len(email)} characters; Bakong takes 1 to 30")
        self._ids.setdefault(email, f"{self._rng.getrandbits(64):016x}")

    def is_registered(self, email: str) -> bool:
        """Return whether `renew_token` accepts this email."""
        return email in self._ids

    def mail_code(self, email: str) -> str:
        """Mail a code of 20 characters, and return it. `redeem` then registers the email."""
        code = "".join(self._rng.choices(string.ascii_uppercase + string.digits, k=20))
        self._codes[code] = email
        self.outbox.append(Mail(email, code))
        return code

    def redeem(self, code: str) -> str | None:
        """Register and return the email of a mailed code. Each code works once."""
        email = self._codes.pop(code, None)
        if email is not None:
            self.register(email)
        return email

    def issue(self, email: str, *, now_ms: int, lifetime_seconds: int, revoke_others: bool = False) -> str:
        """Return a new token for an email. Raises `KeyError` if it isn't registered."""
        issued_at = now_ms // 1000
        # Two tokens of one second would be the same text, so the later one gets an earlier time.
        while (token := self._sign(email, issued_at, lifetime_seconds)) in self._records:
            issued_at -= 1
        if revoke_others:
            for record in self._records.values():
                if record.email == email:
                    record.revoked = True
        self._records[token] = TokenRecord(email, (issued_at + lifetime_seconds) * 1000)
        return token

    def find(self, token: str) -> TokenRecord | None:
        """Return the record of a token, even if it expired or was revoked."""
        return self._records.get(token)

    def revoke(self, token: str) -> None:
        """Revoke a token. Raises `KeyError` if it isn't known."""
        self._records[token].revoked = True

    def records(self) -> list[TokenRecord]:
        """Return the record of every token, oldest first, without the tokens themselves."""
        return list(self._records.values())

    def _sign(self, email: str, issued_at: int, lifetime_seconds: int) -> str:
        claims = {"data": {"id": self._ids[email]}, "iat": issued_at, "exp": issued_at + lifetime_seconds}
        head = _base64(write_json({"alg": "HS256", "typ": "JWT"}).encode())
        signed = f"{head}.{_base64(write_json(claims).encode())}"
        return f"{signed}.{_base64(hmac.digest(self._key, signed.encode(), hashlib.sha256))}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
