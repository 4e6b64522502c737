"""The command line `khqr`: which commands there are. Each is loaded only when it is called."""

import sys
from io import TextIOWrapper

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
    app()
