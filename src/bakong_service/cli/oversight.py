"""`budget` and `verify`: the state of the service itself."""

import traceback

from bakong_service.cli import opening, output
from bakong_service.cli.options import AsJson
from bakong_service.resources import Violation
from bakong_service.web.operating import oversight

_NOT_CHECKED = 2  # as for wrong settings


def budget(*, json: AsJson = False) -> None:
    """Show today's calls to Bakong (Phnom Penh time), how many are left, and how the watcher asks."""
    output.one(opening.run(oversight.today), as_json=json)


def verify(*, json: AsJson = False) -> int:
    """Check over the whole database that no payment was lost, invented or told wrong.

    Exit code 0: all promises hold. 1: a promise is broken, and its rows are printed. 2: the check failed.
    """
    try:
        found = [Violation.of(each) for each in opening.run(oversight.violations, code=_NOT_CHECKED)]
    except Exception:  # noqa: BLE001 - Python would exit with 1, which means a broken promise
        traceback.print_exc()
        return _NOT_CHECKED
    if json or found:
        output.many(found, ("invariant", "subject", "found", "promise"), as_json=json)
    else:
        output.say("all promises hold")
    return 1 if found else 0
