"""`khqr token show` and `khqr token renew`: what a token says of itself, and a new one, neither shown unasked."""

import contextlib
import json as json_module
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from bakong_khqr.api import Token
from bakong_khqr.cli.bakong import BY_ENVIRONMENT, NO, UNUSABLE, YES, Asking, failed
from bakong_khqr.cli.language import Language, spoken
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
    """Show a token's claims and how many days are left, without showing the token. Asks nobody.

    Exit code 0 when it is valid (or doesn't say), 1 when it has expired, 2 when there is none to read.
    """
    tongue = spoken(language)
    try:
        token = asking.token()
    except (BakongError, OSError) as error:
        return failed("token show", error, tongue, json=json)
    if token is None:
        print(f"khqr token show: {_SAID['none'][tongue == 'km']}", file=sys.stderr)
        return UNUSABLE
    days = token.days_left(datetime.now(UTC))
    claims: dict[str, Any] = {
        "id": token.id,
        "issued_at": token.issued_at and token.issued_at.isoformat(),
        "expires_at": token.expires_at and token.expires_at.isoformat(),
        "days_left": days,
    }
    if json:
        print(json_module.dumps(claims))
    else:
        for name, value in claims.items():
            if value is not None:
                print(f"{_SAID[name][tongue == 'km']}: {value}")
        if days is None or days < 0:
            print(_SAID["unknown" if days is None else "expired"][tongue == "km"])
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
    """Get a new token for the registered email, `BAKONG_EMAIL` by default. The old one may stop working.

    Exit code 0 with the new token, 2 for options that can't be used, 3 when Bakong gave none.

    Parameters
    ----------
    out
        Write the token to this file, which only its owner may read; what was in it is replaced.
    reveal
        Print the token, for a program that reads it. Give this or `--out`: nothing else shows a token.
    email
        The registered email. On a command line others may see it; `BAKONG_EMAIL` is safer.
    json
        Print one JSON object: `expires_at`, and `token` with `--reveal`.
    """
    tongue = spoken(language)
    if out is None and not reveal:
        print("khqr token renew: say where the new token goes: --out FILE, or --reveal to print it", file=sys.stderr)
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
        print(json_module.dumps({"expires_at": expires_at} | ({"token": token.reveal()} if reveal else {})))
    elif reveal:
        print(token.reveal())
    if out is not None:
        print(f"{_SAID['renewed'][tongue == 'km']} {out}", file=sys.stderr)
    return YES


def _check_writable(path: Path) -> None:
    """Find out before the renewal that a new token would have no place to go."""
    beside = path.with_name(f".{path.name}.new")
    beside.touch(mode=0o600)
    beside.unlink()


def _write_privately(path: Path, token: Token) -> None:
    """Replace the file in one step, readable by its owner alone: a crash leaves the old token or the new one."""
    beside = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(token.reveal() + "\n")
    beside.replace(path)
