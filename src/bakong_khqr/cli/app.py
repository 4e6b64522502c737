"""The commands of `khqr`. A command is loaded only when it is called."""

import os
import sys
from io import TextIOWrapper
from typing import NoReturn

from cyclopts import App

from bakong_khqr import __version__
from bakong_khqr.cli.writing import complain

app = App(
    name="khqr",
    version=__version__,
    help="KHQR codes and the Bakong Open API: make, read, check and explain codes, follow payments, simulate the bank.",
    help_format="markdown",
)

for command in ("encode", "decode", "verify", "inspect"):
    app.command(f"bakong_khqr.cli.payload:{command}", name=command)
for command in ("image", "card"):
    app.command(f"bakong_khqr.cli.picture:{command}", name=command)
for command in ("check", "watch"):
    app.command(f"bakong_khqr.cli.payment:{command}", name=command)
app.command("bakong_khqr.cli.account:account", name="account")
app.command("bakong_khqr.cli.deeplink:deeplink", name="deeplink")
app.command("bakong_khqr.cli.token:app", name="token")
app.command("bakong_khqr.cli.doctor:doctor", name="doctor")
app.command("bakong_khqr.cli.simulate:simulate", name="simulate")


def main() -> None:
    """Run `khqr` with the arguments of the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # for Khmer and riel signs with any code page of Windows
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        try:
            if sys.argv[1:2] in ([], ["--help"], ["-h"]):
                app.resolved_commands()  # the help shows the first line of each command, which has to be loaded for it
            app(sys.argv[1:])
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here at the latest, a full disk or a closed pipe raises
    except OSError as error:
        _stop(error)


def _stop(error: OSError) -> NoReturn:
    """Exit with 2, because the answer can't be written. Exit code 1 would be an answer."""
    if not isinstance(error, BrokenPipeError):
        complain(f"khqr: {error}")
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
    sys.exit(2)
