"""The Bakong Open API without a bank, for tests, demos and other languages.

    simulator.py    BakongSimulator: a Request in, a Response out, in memory
    switches.py     where its behaviour can be set, and which of it is a guess
    faults.py       what can go wrong on the way, and how often
    payments.py     what payers did; reading a scanned code as a bank's app does
    tokens.py       registrations, mailed codes, tokens and their daily quota
    endpoints.py    the thirteen endpoints
    answers.py      the envelopes, messages and pages they answer with
    exchange.py     Request and Response
    control.py      /_simulator/...: the same acts over HTTP, and the page for a person
    scenario.py     a file of such acts, played by the simulator's clock
    transport.py    plugs a simulator into httpx
    server.py       serves one on a port
    pytest_plugin.py   the `bakong` fixture

Only `transport.py` and `server.py` touch a network, and neither is imported before it is used.
"""

from bakong_khqr.testing.exchange import Request, Response
from bakong_khqr.testing.faults import Fault, FaultKind
from bakong_khqr.testing.payments import SimulatedPayment
from bakong_khqr.testing.simulator import BakongSimulator
from bakong_khqr.testing.switches import Switches

__all__ = ["BakongSimulator", "Fault", "FaultKind", "Request", "Response", "SimulatedPayment", "Switches"]
