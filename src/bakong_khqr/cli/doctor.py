"""`khqr doctor`: why Bakong doesn't answer, and what to do."""

import json as json_module

import httpx

from bakong_khqr.cli.bakong import BY_ENVIRONMENT, NO, YES, Asking, failed, proxies_of_the_environment
from bakong_khqr.cli.language import Language, spoken
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

    Each finding comes with what to do. Costs up to three calls of the token's daily quota.

    Exit code 0 when nothing is wrong (warnings allowed), 1 when something is, 2 for options, or a proxy setting of the
    environment, that can't be used.

    Parameters
    ----------
    md5
        The MD5 of a code to look for meanwhile.
    json
        Print one JSON object for each finding, a line each: `code`, `verdict`, `found`, `advice`.
    """
    tongue = spoken(language)
    failures = 0
    try:
        options = asking.options()
        with proxies_of_the_environment():
            client = httpx.Client(timeout=options["timeout_seconds"])
        with client as http:
            for finding in examine(options["token"], base_url=options["base_url"], md5=md5, http_client=http):
                failures += finding.verdict is Verdict.FAILURE
                found, advice = finding.found(tongue), finding.advice(tongue)
                if json:
                    members = {"code": finding.code, "verdict": finding.verdict, "found": found, "advice": advice}
                    print(json_module.dumps(members), flush=True)
                else:
                    print(f"{_MARKS[finding.verdict]} {found}" + (f"\n  {advice}" if advice else ""), flush=True)
    except (BakongError, OSError) as error:
        return failed("doctor", error, tongue, json=json)
    return NO if failures else YES
