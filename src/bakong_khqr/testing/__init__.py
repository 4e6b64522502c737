"""The Bakong Open API without a bank, for tests, demos and programs in other languages.

    simulator.py    BakongSimulator: takes a SimulatorRequest and returns a SimulatorResponse, in memory
    switches.py     the settings of its behaviour, and which of them are guesses
    faults.py       what can go wrong between a client and Bakong, and how often
    clock.py        the time, which tests can move
    payer.py        how a bank's app reads a code
    payments.py     the payments that were made
    tokens.py       registrations, mailed codes, tokens and their calls of the day
    gateway.py      the checks of a call before its endpoint
    endpoints.py    the endpoints
    answers.py      the envelopes, messages and pages of the answers
    exchange.py     SimulatorRequest and SimulatorResponse
    actions.py      what a test or a person can do to a simulator
    control.py      /_simulator/...: actions over HTTP, and a page for people
    scenario.py     a file of actions, which the simulator performs at their times
    transport.py    connects a simulator to httpx
    server.py       serves a simulator on a port
    pytest_plugin.py   the `bakong` fixture

Only `transport.py` and `server.py` use a network. Nothing here is imported before it is used, because pytest loads the
plugin in every run if this package is installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bakong_khqr.testing.exchange import SimulatorRequest, SimulatorResponse
    from bakong_khqr.testing.faults import Fault, FaultKind
    from bakong_khqr.testing.payments import SimulatedPayment
    from bakong_khqr.testing.simulator import BakongSimulator
    from bakong_khqr.testing.switches import Switches

__all__ = [
    "BakongSimulator",
    "Fault",
    "FaultKind",
    "SimulatedPayment",
    "SimulatorRequest",
    "SimulatorResponse",
    "Switches",
]

_HOMES = {
    "BakongSimulator": "simulator",
    "Fault": "faults",
    "FaultKind": "faults",
    "SimulatorRequest": "exchange",
    "SimulatorResponse": "exchange",
    "SimulatedPayment": "payments",
    "Switches": "switches",
}


if not TYPE_CHECKING:  # a type checker that sees it accepts any name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
