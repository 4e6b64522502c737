"""`khqr simulate`: the Bakong Open API on a port of this machine, for development in any language."""

import contextlib
import json as json_module
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from bakong_khqr.testing import scenario as scenarios
from bakong_khqr.testing.simulator import DEFAULT_TOKEN, BakongSimulator

_WHAT_TO_TRY = """\

A page to pay codes and break things:   {url}/
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

    The first line printed is its URL. Exit code 0 after a stop, 1 where the port or the scenario can't be had, 2 for a
    usage error.

    Parameters
    ----------
    port
        The port to listen on; 0 picks a free one.
    host
        The address to listen on. Anybody who reaches it can pay codes: leave it on this machine.
    token
        The token it accepts, beside those it issues.
    like
        `kind` answers everything; `production` has 100 calls a day and a closed MD5 list.
    scenario
        A JSON or TOML file of switches and steps to begin with.
    json
        Print one JSON object (`url`, `port`, `control_url`) instead of the URL and what to try.
    """
    from bakong_khqr.testing.server import SimulatorServer

    try:
        bakong = (BakongSimulator.like_production if like == "production" else BakongSimulator)(token=token)
        if scenario is not None:
            scenarios.play(bakong, scenarios.load(scenario))
        server = SimulatorServer(bakong, host=host, port=port)
    except (OSError, ValueError) as error:
        print(f"khqr simulate: {error}", file=sys.stderr)
        return 1
    if json:
        print(json_module.dumps({"url": server.url, "port": server.port, "control_url": f"{server.url}/_simulator"}))
    else:
        shown = token if token == DEFAULT_TOKEN else "$BAKONG_TOKEN"  # a token of the caller's own isn't printed
        token_line = f"The token it takes:                     {shown if shown == token else 'the one given'}"
        print(server.url)
        print(_WHAT_TO_TRY.format(url=server.url, token=shown, token_line=token_line))
    sys.stdout.flush()
    # uvicorn shuts down on a signal and then raises it again: for SIGTERM that must be an end like any other.
    signal.signal(signal.SIGTERM, _end)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 0


def _end(*_: object) -> None:
    raise SystemExit(0)
