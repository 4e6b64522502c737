"""Field encryption: AES-256-GCM with a ring of keys, bound to the place where the field is stored.

A sealed field is `version | key id length | key id | nonce (12 bytes) | ciphertext and tag`. The newest key seals, and
every key of the ring opens. The place (`payments.qr_enc.pay_…`) is authenticated too, so a field that was moved to
another place doesn't open.
"""

import hmac
import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = 1
_NONCE = 12


class Unopenable(Exception):  # noqa: N818 - what happened
    """A sealed field doesn't open: its key isn't in the ring, or the field was altered or moved."""


class EncryptionKeyMissing(Unopenable):
    """A sealed field doesn't open, because the ring of this process lacks the key `key_id`."""

    def __init__(self, key_id: str, place: str) -> None:
        super().__init__(f"{place} is sealed with the key {key_id!r}, which isn't in the ring")
        self.key_id = key_id


def derive(secret: bytes, purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose, derived from a secret by HKDF-SHA256."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"bakong-service {purpose}".encode()).derive(secret)


def head_of(key_id: str) -> bytes:
    """Return the bytes with which every field begins that is sealed with this key."""
    return bytes([_VERSION, len(key_id)]) + key_id.encode()


class Vault:
    """Seals and opens fields. `ring` maps key ids to secrets, newest first; `pepper` is the key of blind indexes."""

    def __init__(self, ring: Mapping[str, bytes], pepper: bytes) -> None:
        if not ring:
            raise ValueError("the key ring is empty: it needs at least one key")
        self._ciphers = {key_id: AESGCM(derive(secret, "field encryption")) for key_id, secret in ring.items()}
        self._newest = next(iter(ring))
        # Each index starts from a copy, because giving OpenSSL the key costs more than hashing a short text.
        self._index = hmac.new(derive(pepper, "blind index"), digestmod="sha256")

    def __repr__(self) -> str:
        return f"Vault(key_ids={list(self._ciphers)})"

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the ring's keys, newest first."""
        return tuple(self._ciphers)

    def seal(self, text: str, place: str) -> bytes:
        """Return `text` encrypted for the place `table.column.reference`."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._ciphers[self._newest].encrypt(nonce, text.encode(), place.encode())
        return head_of(self._newest) + nonce + sealed

    def open(self, blob: bytes, place: str) -> str:
        """Return the text that was sealed for `place`. Raises `Unopenable`, or its subclass for a missing key."""
        key_id = self.key_id(blob)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise EncryptionKeyMissing(key_id, place)
        start = 2 + blob[1]
        try:
            opened = cipher.decrypt(blob[start : start + _NONCE], blob[start + _NONCE :], place.encode())
        except InvalidTag as error:
            raise Unopenable(f"{place} doesn't open with the key {key_id!r}: altered, moved, or another key") from error
        return opened.decode()

    def key_id(self, blob: bytes) -> str:
        """Return the id of the key that a field is sealed with. Raises `Unopenable` if it isn't a sealed field."""
        if len(blob) < 2 or blob[0] != _VERSION or len(blob) < 2 + blob[1] + _NONCE:
            raise Unopenable("this isn't a sealed field of a known version")
        return blob[2 : 2 + blob[1]].decode("ascii", "replace")

    def index(self, text: str, column: str) -> str:
        """Return a keyed hash, 64 hex digits, by which equal values of a column are found without storing them."""
        index = self._index.copy()
        index.update(f"{column}\0{text}".encode())
        return index.hexdigest()
