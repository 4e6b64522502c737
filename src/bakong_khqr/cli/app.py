"""The command line `khqr`: which commands there are. Each is loaded only when it is called."""

import os
import sys
from io import TextIOWrapper
from typing import NoReturn

from cyclopts import App

from bakong_khqr import __version__

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
    """Run `khqr` with the process's arguments."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # Khmer and riel signs, whatever code page a Windows console has
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        try:
            app(sys.argv[1:])
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # a full disk, or a reader that left, is noticed here at the latest
    except OSError as error:
        _stop(error)


def _stop(error: OSError) -> NoReturn:
    """Exit with 2: the answer couldn't be told. 1 would be an answer, and a traceback nobody's business."""
    if not isinstance(error, BrokenPipeError):
        print(f"khqr: {error}", file=sys.stderr)
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more as it ends
    sys.exit(2)
