"""Checks the arguments of the endpoints before anything is sent.

A wrong Python type raises `TypeError`. A text that breaks a rule raises `InvalidRequest` with the argument, the value
and the rule. Emails, codes and tokens are secrets, so no message shows them.
"""

from __future__ import annotations

import re

from attrs import field, frozen

from bakong_khqr.errors import InvalidRequest
from bakong_khqr.khqr import KHQR

_MD5 = re.compile(r"[0-9a-fA-F]{32}\Z")
_ACCOUNT_ID = re.compile(r"[^@\s]+@[^@\s]+\Z")
_WEB_ADDRESS = re.compile(r"https?://[^\s/]+\S*\Z", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")


def checked_text(name: str, value: str, shortest: int, longest: int, *, secret: bool = False) -> str:
    """Return a text if its number of characters is within the bounds and it isn't only white space."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: must be text, not {type(value).__name__}")
    if not shortest <= len(value) <= longest or not value.strip():
        rule = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
        shown = "" if secret else f": {value[:40]!r}"
        raise InvalidRequest(f"{name}: must have {rule} characters, and this has {len(value)}{shown}")
    return value


def checked_email(email: str) -> str:
    """Return a registered email address of at most 30 characters. No message shows it, because it renews tokens."""
    checked_text("email", email, 1, 30, secret=True)
    if email.count("@") != 1:
        raise InvalidRequest("email: must contain exactly one @ (the value is hidden)")
    return email


def checked_account(account_id: str) -> str:
    """Return a Bakong account ID: `name@bank`, at most 32 characters, as in the official SDK."""
    checked_text("account_id", account_id, 1, 32)
    if not _ACCOUNT_ID.match(account_id):
        raise InvalidRequest(f"account_id: must be name@bank with one @ and no spaces, not {account_id!r}")
    return account_id


def checked_md5(name: str, md5: str) -> str:
    """Return the MD5 of a payload in 32 lower-case hexadecimal digits, by which Bakong knows payments."""
    if not isinstance(md5, str):
        raise TypeError(f"{name}: must be text, not {type(md5).__name__}")
    if not _MD5.match(md5):
        raise InvalidRequest(f"{name}: must be the 32 hexadecimal digits of a payload's MD5, not {md5[:40]!r}")
    return md5.lower()


def checked_khqr(khqr: KHQR | str) -> KHQR:
    """Return a `KHQR`, or the KHQR of a payload. Raises `InvalidKHQR` for a wrong payload."""
    if isinstance(khqr, KHQR):
        return khqr
    if not isinstance(khqr, str):
        raise TypeError(f"khqr: must be a KHQR or a payload as text, not {type(khqr).__name__}")
    return KHQR.decode(khqr)


@frozen(kw_only=True)
class SourceInfo:
    """The app or shop that asks for a deep link, so that the bank app can lead the payer back."""

    app_name: str = field()
    """The name that the bank app shows, 1 to 255 characters."""
    app_icon_url: str = field()
    """An `https` or `http` address of a picture."""
    app_deep_link_callback: str = field()
    """The address that is opened after the payment: a web address, or an app's scheme such as `shop://paid`."""

    @app_name.validator
    def _check_name(self, _: object, value: str) -> None:
        checked_text("source_info.app_name", value, 1, 255)

    @app_icon_url.validator
    def _check_icon(self, _: object, value: str) -> None:
        checked_text("source_info.app_icon_url", value, 1, 2048)
        if not _WEB_ADDRESS.match(value):
            raise InvalidRequest(f"source_info.app_icon_url: must be an https or http address, not {value[:80]!r}")

    @app_deep_link_callback.validator
    def _check_callback(self, _: object, value: str) -> None:
        name = "source_info.app_deep_link_callback"
        checked_text(name, value, 1, 2048)
        if not _ADDRESS.match(value):
            raise InvalidRequest(
                f"{name}: must be an address with a scheme, such as https://... or shop://..., not {value[:80]!r}"
            )
