"""HTTP: requests into operations, results and refusals into answers. `routes.py` shows every URL on one screen.

A handler is `async def name(request) -> Response`. It finds what it needs with `service.of(request)`, reads input
with `bodies.parse` or `bodies.query`, runs an operation (through `idempotency.idempotent` where it changes state) and
answers with `answers.json`. It catches nothing: `problems.py` turns what is raised into a problem document.
"""
