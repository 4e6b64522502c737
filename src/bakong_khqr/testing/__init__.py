"""The Bakong Open API without a bank, for tests, demos and other languages.

    simulator.py    BakongSimulator: a Request in, a Response out, in memory
    switches.py     where its behaviour can be set, and which of it is a guess
    faults.py       what can go wrong on the way, and how often
    clock.py        the time, moved by tests
    payer.py        how a bank's app reads a code
    payments.py     what payers did
    tokens.py       registrations, mailed codes, tokens and their calls of the day
    gateway.py      the doors a call goes through
    endpoints.py    the thirteen endpoints
    answers.py      the envelopes, messages and pages they answer with
    exchange.py     Request and Response
    actions.py      what can be done to a simulator from outside
    control.py      /_simulator/...: actions over HTTP, and the page for a person
    scenario.py     a file of actions, played by the simulator's clock
    transport.py    plugs a simulator into httpx
    server.py       serves one on a port
    pytest_plugin.py   the `bakong` fixture

Only `transport.py` and `server.py` touch a network. Nothing here is imported before it is used: pytest loads the plugin
in every run on a machine where this package is installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bakong_khqr.testing.exchange import Request, Response
    from bakong_khqr.testing.faults import Fault, FaultKind
    from bakong_khqr.testing.payments import SimulatedPayment
    from bakong_khqr.testing.simulator import BakongSimulator
    from bakong_khqr.testing.switches import Switches

__all__ = ["BakongSimulator", "Fault", "FaultKind", "Request", "Response", "SimulatedPayment", "Switches"]

_HOMES = {
    "BakongSimulator": "simulator",
    "Fault": "faults",
    "FaultKind": "faults",
    "Request": "exchange",
    "Response": "exchange",
    "SimulatedPayment": "payments",
    "Switches": "switches",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
