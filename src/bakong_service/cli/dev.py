"""`bakong-service dev`: the service, the simulator and a receiver of webhooks on this machine, for every day."""

import json
import secrets
import shlex
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from bakong_khqr.cli.writing import as_text
from bakong_service.cli.stage import Stage, StageFailed, end_as_by_ctrl_c, what_to_do
from bakong_service.settings.written import settings_file

_LOOK_SECONDS = 0.2
_SECRETS = "secrets.json"
_SETTINGS = "service.env"
_COFFEES = "Two iced coffees"
_TIME_TO_PAY = timedelta(minutes=5)
_COMMANDS = """4. In another terminal, look at these data with any command of bakong-service:
   (set -a; . {file}; bakong-service payments list)
"""


def dev(*, folder: Path = Path(".bakong-dev"), service_port: int = 3002, simulator_port: int = 3080) -> int:
    """Run service, simulator and a receiver that prints webhooks, until Ctrl-C. Nothing has to be set.

    Payments and keys are kept in a folder, so the next run goes on where this one ended. The simulator keeps nothing.
    The folder also has a file of settings, with which other commands, such as `payments show`, work on the same data.

    Parameters
    ----------
    folder
        Where the data are kept.
    service_port
        The port of the service, and of the payers' pages.
    simulator_port
        The port of the simulator.
    """
    console = Console()
    end_as_by_ctrl_c()
    folder = folder.resolve()  # the file of settings names the database, and is read from any folder
    folder.mkdir(mode=0o700, exist_ok=True)
    try:
        with _stage(folder) as stage:
            stage.start_simulator(port=simulator_port)
            stage.start_service(PORT=str(service_port))
            _show(console, what_to_do(stage, _payment(stage)))
            _show(console, _COMMANDS.format(file=shlex.quote(str(_write_settings(stage, service_port)))))
            _print_webhooks(stage, console)
    except StageFailed as error:
        console.print(str(error), highlight=False, markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
    return 0


def _payment(stage: Stage) -> dict[str, Any]:
    """Return the payment that the last run made if there is time to pay it, else a new one."""
    until = datetime.now(UTC) + _TIME_TO_PAY
    kept = stage.last_payment(payable_until=until, description=_COFFEES)
    return kept or stage.create_payment(amount="2.50", currency="USD", description=_COFFEES)


def _write_settings(stage: Stage, port: int) -> Path:
    """Write the settings of the service as a file for a shell, which only its owner may read. Return its path."""
    path = stage.folder / _SETTINGS
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    heading = "Settings of the service that bakong-service dev runs on these data. Each start writes them anew."
    path.write_text(settings_file(heading, stage.settings(port)), encoding="utf-8")
    return path


def _show(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _print_webhooks(stage: Stage, console: Console) -> None:
    """Print each webhook as it arrives, and end when a process ends."""
    printed = 0
    actors = [actor for actor in (*stage.services, stage.simulator) if actor is not None]
    while not (ended := [actor for actor in actors if actor.process.poll() is not None]):
        for event in stage.receiver.events[printed:]:
            printed += 1
            console.print(as_text(_line(event)), highlight=False, markup=False, soft_wrap=True)
        time.sleep(_LOOK_SECONDS)
    raise StageFailed("\n".join(f"{actor.name} ended:\n{actor.last_lines()}" for actor in ended))


def _line(event: dict[str, Any]) -> str:
    data = event["data"]
    told = " ".join(str(data[name]) for name in ("reference", "status", "amount", "currency") if data.get(name))
    return f"webhook {event['type']}: {told}"


def _stage(folder: Path) -> Stage:
    kept = _kept_secrets(folder)
    return Stage(
        folder,
        api_key=kept["api_key"],
        webhook_secret=kept["webhook_secret"],
        encryption_key=kept["encryption_key"],
        pepper=kept["pepper"],
    )


def _kept_secrets(folder: Path) -> dict[str, str]:
    """Return the keys of this folder, made the first time: with others, its database wouldn't open."""
    path = folder / _SECRETS
    if not path.exists():
        made = {
            "api_key": secrets.token_urlsafe(32),
            "webhook_secret": secrets.token_urlsafe(32),
            "encryption_key": secrets.token_hex(16),
            "pepper": secrets.token_urlsafe(32),
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(made), encoding="utf-8")
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found
