"""The command `init`, which writes a file of settings to begin with."""

import secrets
from pathlib import Path

from bakong_service.cli import opening, output
from bakong_service.settings.strength import weakness
from bakong_service.settings.written import settings_file
from bakong_service.storage.backups.new_file import new_file
from bakong_service.storage.backups.refused import CopyRefused

# The secrets that are drawn at random.
_DRAWN = ("MAIN_BACKEND_API_KEY", "KEY_PEPPER", "WEBHOOK_SECRET", "ENCRYPTION_KEY")
# The settings for the simulator, in test mode.
_SIMULATED = {
    "BAKONG_BASE_URL": "http://127.0.0.1:{port}",
    "BAKONG_DEVELOPER_TOKEN": "simulator",
    "BAKONG_MERCHANT_ID": "sokha@demo",
    "MERCHANT_NAME": "Sokha Coffee",
    "PUBLIC_URL": "http://127.0.0.1:3002",
}
_REMARKS = {"PUBLIC_URL": "In this file it names this machine and the default of PORT: change both together."}
_HEADING = """Settings of bakong-service, for {mode} mode.

A shell reads this file:   set -a; . {file}; set +a
After that, this shell knows the settings:   bakong-service serve
systemd reads it too (EnvironmentFile=), and so does Docker Compose (env_file:).

The secrets were drawn for this file. Keep a copy of ENCRYPTION_KEY and KEY_PEPPER in another place than the backups of
the database: without them a backup can't be read."""


def init(file: Path = Path("bakong-service.env"), *, live: bool = False, simulator_port: int = 9000) -> None:
    """Write a file with every setting, its meaning, and fresh secrets. Only its owner can read it.

    Without an option, the settings are for test mode with the simulator, and `serve` starts with them as they are.

    Parameters
    ----------
    file
        The new file. A file that exists is never overwritten.
    live
        Write settings for live mode. Those that only you know are left empty.
    simulator_port
        The port of the simulator (`khqr simulate`), in test mode.
    """
    path = file.absolute()
    values = {"MODE": "live" if live else "test", "DATABASE_URL": f"sqlite:///{path.with_name('bakong-service.db')}"}
    if not live:
        values |= {name: text.format(port=simulator_port) for name, text in _SIMULATED.items()}
    values |= {name: _secret() for name in _DRAWN}
    heading = _HEADING.format(mode=values["MODE"], file=path)
    try:
        with new_file(path) as part:
            part.write_text(settings_file(heading, values, {} if live else _REMARKS), encoding="utf-8")
    except CopyRefused as error:
        opening.fail(str(error))
    output.say(f"{path} has the settings. Only you can read it.")
    if live:
        output.say("1. Fill in what is empty: BAKONG_DEVELOPER_TOKEN, BAKONG_MERCHANT_ID and MERCHANT_NAME.")
    else:
        output.say(f"1. Start the simulator in another window: khqr simulate --port {simulator_port}")
    output.say(f"2. Start the service: set -a; . {path}; set +a; bakong-service serve")


def _secret() -> str:
    """Return 64 random hex digits. Live mode refuses a row such as 01234567, which chance may draw."""
    while weakness(drawn := secrets.token_hex(32)) is not None:
        pass
    return drawn
