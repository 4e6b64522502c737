"""`khqr token show` shows the claims of a token, and `khqr token renew` gets a new token.

They show a token only if an option asks for it.
"""

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from bakong_khqr.api import Token
from bakong_khqr.cli.bakong import BY_ENVIRONMENT, NO, UNUSABLE, YES, Asking, failed
from bakong_khqr.cli.language import Language, spoken
from bakong_khqr.cli.writing import complain, say, say_json
from bakong_khqr.errors import BakongError

app = App(name="token", help="The developer token: its claims and days left, and how to renew it.")

_SAID = {
    "id": ("registration", "លេខចុះឈ្មោះ"),
    "issued_at": ("issued at", "ចេញនៅ"),
    "expires_at": ("expires at", "ផុតកំណត់នៅ"),
    "days_left": ("days left", "ថ្ងៃនៅសល់"),
    "unknown": ("the token doesn't say when it expires", "ថូខឹននេះមិនប្រាប់ថ្ងៃផុតកំណត់ទេ"),
    "expired": ("the token has expired: khqr token renew", "ថូខឹនបានផុតកំណត់ហើយ៖ khqr token renew"),
    "none": ("no token: set BAKONG_TOKEN or give --token-file", "គ្មានថូខឹន៖ សូមកំណត់ BAKONG_TOKEN ឬប្រើ --token-file"),
    "renewed": ("renewed; written to", "បានបន្ត ហើយសរសេរទៅ"),
}


@app.default
@app.command
def show(*, asking: Asking = BY_ENVIRONMENT, language: Language = None, json: bool = False) -> int:
    """Show the claims of a token and its days left, but not the token. This sends nothing.

    Exit code 0: it is valid, or doesn't say. 1: it has expired. 2: there is no token.
    """
    tongue = spoken(language)
    try:
        token = asking.token()
    except (BakongError, OSError) as error:
        return failed("token show", error, tongue, json=json)
    if token is None:
        complain(f"khqr token show: {_SAID['none'][tongue == 'km']}")
        return UNUSABLE
    days = token.days_left(datetime.now(UTC))
    claims: dict[str, Any] = {
        "id": token.id,
        "issued_at": token.issued_at and token.issued_at.isoformat(),
        "expires_at": token.expires_at and token.expires_at.isoformat(),
        "days_left": days,
    }
    if json:
        say_json(claims)
    else:
        for name, value in claims.items():
            if value is not None:
                say(f"{_SAID[name][tongue == 'km']}: {value}")
        if days is None or days < 0:
            say(_SAID["unknown" if days is None else "expired"][tongue == "km"])
    return NO if days is not None and days < 0 else YES


@app.command
def renew(
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    reveal: Annotated[bool, Parameter(negative="")] = False,
    email: str | None = None,
    asking: Asking = BY_ENVIRONMENT,
    language: Language = None,
    json: bool = False,
) -> int:
    """Get a new token for the registered email, `BAKONG_EMAIL` by default. The old token may stop working.

    Exit code 0: there is a new token. 2: wrong options. 3: Bakong gave no token.

    Parameters
    ----------
    out
        Write the token to this file, which only its owner can read. Its old content is replaced.
    reveal
        Print the token, for a program that reads it. Give this option or `--out`.
    email
        The registered email. Others may see a command line, so `BAKONG_EMAIL` is safer.
    json
        Print one JSON object: `expires_at`, and `token` with `--reveal`.
    """
    tongue = spoken(language)
    if out is None and not reveal:
        complain("khqr token renew: give --out FILE to write the new token, or --reveal to print it")
        return UNUSABLE
    try:
        if out is not None:
            _check_writable(out)
        with asking.client() as bakong:
            token = bakong.renew_token(email)
        if out is not None:
            _write_privately(out, token)
    except (BakongError, OSError) as error:
        return failed("token renew", error, tongue, json=json)
    if json:
        expires_at = token.expires_at and token.expires_at.isoformat()
        say_json({"expires_at": expires_at} | ({"token": token.reveal()} if reveal else {}))
    elif reveal:
        say(token.reveal())
    if out is not None:
        complain(f"{_SAID['renewed'][tongue == 'km']} {out}")
    return YES


def _check_writable(path: Path) -> None:
    """Raise `OSError` before the renewal if the new token can't be written."""
    beside = path.with_name(f".{path.name}.new")
    beside.touch(mode=0o600)
    beside.unlink()


def _write_privately(path: Path, token: Token) -> None:
    """Replace the file in one step, so that a crash leaves the old token or the new one. Only its owner can read it."""
    beside = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(token.reveal() + "\n")
    beside.replace(path)
