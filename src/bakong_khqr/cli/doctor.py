"""`khqr doctor`: why Bakong doesn't answer, and what to do."""

import sys

from bakong_khqr.cli.bakong import BY_ENVIRONMENT, NO, YES, Asking, failed
from bakong_khqr.cli.language import Language, spoken
from bakong_khqr.cli.writing import say, say_json
from bakong_khqr.doctor import Verdict, examine
from bakong_khqr.errors import BakongError

_MARKS = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.FAILURE: "✗"}


def doctor(
    *,
    md5: str | None = None,
    asking: Asking = BY_ENVIRONMENT,
    language: Language = None,
    json: bool = False,
) -> int:
    """Examine the way to Bakong: token, environment, DNS, TLS, clock, user agent, country, firewall, quota, list.

    Each finding says what to do. This costs up to three calls of the token's daily quota.

    Exit code 0: nothing is wrong, but there may be warnings. 1: something is wrong. 2: wrong options.

    Parameters
    ----------
    md5
        The MD5 of a code to look for, too.
    json
        Print a JSON object in a line for each finding: `code`, `verdict`, `found`, `advice`.
    """
    tongue = spoken(language)
    failures = 0
    try:
        options = asking.options()
        options.pop("email")
        for finding in examine(**options, md5=md5):
            failures += finding.verdict is Verdict.FAILURE
            found, advice = finding.found(tongue), finding.advice(tongue)
            if json:
                members = {"code": finding.code, "verdict": finding.verdict, "found": found, "advice": advice}
                say_json(members)
            else:
                say(f"{_MARKS[finding.verdict]} {found}", *([f"  {advice}"] if advice else []))
            sys.stdout.flush()
    except (BakongError, OSError) as error:
        return failed("doctor", error, tongue, json=json)
    return NO if failures else YES
