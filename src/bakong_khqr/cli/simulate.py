"""`khqr simulate`: the Bakong Open API on a port of this machine, for development in any language."""

import contextlib
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from bakong_khqr.cli.writing import complain, say, say_json
from bakong_khqr.testing import scenario as scenarios
from bakong_khqr.testing.simulator import DEFAULT_TOKEN, BakongSimulator

_WHAT_TO_TRY = """\

A page to pay codes and make errors:    {url}/
Bakong's paths begin with:              {url}/v1/
{token_line}
Pay a code as a bank's app would:
  curl {url}/_simulator/pay -d '{{"qr": "<payload>"}}'
Ask whether it was paid:
  curl {url}/v1/check_transaction_by_md5 -H 'Authorization: Bearer {token}' -d '{{"md5": "<md5>"}}'
Let the next two calls fail:
  curl {url}/_simulator/faults -d '{{"kind": "server_error", "times": 2}}'

Stop it with Ctrl-C."""


def simulate(
    *,
    port: Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65535))] = 9000,
    host: str = "127.0.0.1",
    token: str = DEFAULT_TOKEN,
    like: Literal["kind", "production"] = "kind",
    scenario: Path | None = None,
    json: bool = False,
) -> int:
    """Serve a simulated Bakong Open API until Ctrl-C or SIGTERM.

    The first line is its URL. Exit code 0: it was stopped. 1: the port or the scenario can't be used. 2: wrong options.

    Parameters
    ----------
    port
        The port to listen on; 0 chooses a free port.
    host
        The address to listen on. Everybody who can connect to it can pay codes, so keep it on this machine.
    token
        A token that it accepts. It also accepts the tokens that it issues.
    like
        `kind` has no limits; `production` has 100 calls a day and a closed MD5 list.
    scenario
        A JSON or TOML file of switches and steps to begin with.
    json
        Print one JSON object instead: `url`, `port`, `control_url`.
    """
    from bakong_khqr.testing.server import SimulatorServer

    try:
        bakong = (BakongSimulator.like_production if like == "production" else BakongSimulator)(token=token)
        if scenario is not None:
            scenarios.play(bakong, scenarios.load(scenario))
        server = SimulatorServer(bakong, host=host, port=port)
    except (OSError, ValueError) as error:
        complain(f"khqr simulate: {error}")
        return 1
    if json:
        say_json({"url": server.url, "port": server.port, "control_url": f"{server.url}/_simulator"})
    else:
        shown = token if token == DEFAULT_TOKEN else "$BAKONG_TOKEN"  # the caller's token isn't printed
        token_line = f"The token it takes:                     {shown if shown == token else 'the one given'}"
        text = _WHAT_TO_TRY.format(url=server.url, token=shown, token_line=token_line)
        say(server.url, *text.split("\n"))
    sys.stdout.flush()
    # uvicorn stops at a signal and raises it again. After SIGTERM the exit code must be 0, too.
    signal.signal(signal.SIGTERM, _end)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 0


def _end(*_: object) -> None:
    raise SystemExit(0)
