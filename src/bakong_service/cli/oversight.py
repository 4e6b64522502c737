"""`budget` and `verify`: how the service itself is doing."""

from bakong_service.cli import opening, output
from bakong_service.cli.output import AsJson
from bakong_service.web import oversight


def budget(*, json: AsJson = False) -> None:
    """Show today's calls to Bakong (Phnom Penh time), what is left, and how the watcher is asking."""
    output.one(opening.run(oversight.today), as_json=json)


def verify(*, json: AsJson = False) -> int:
    """Check the invariants I1 to I15 over the whole database. Exit code 1 with the rows that break one."""
    found = [oversight.broken(each) for each in opening.run(oversight.violations)]
    if json or found:
        output.many(found, ("invariant", "subject", "found", "promise"), as_json=json)
    else:
        print("all of it holds")
    return 1 if found else 0
