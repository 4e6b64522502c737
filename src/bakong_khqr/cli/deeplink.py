"""`khqr deeplink`: a link that opens the payer's bank app with a code in it."""

import json as json_module
import sys

from bakong_khqr.api import SourceInfo
from bakong_khqr.cli.bakong import BY_ENVIRONMENT, UNUSABLE, YES, Asking, failed
from bakong_khqr.cli.language import Language, spoken
from bakong_khqr.cli.payload_text import Payload, payload_text
from bakong_khqr.errors import BakongError


def deeplink(
    payload: Payload = "-",
    /,
    *,
    app_name: str | None = None,
    app_icon_url: str | None = None,
    app_deep_link_callback: str | None = None,
    asking: Asking = BY_ENVIRONMENT,
    language: Language = None,
    json: bool = False,
) -> int:
    """Ask Bakong for a link that opens the payer's bank app with this code. Needs no token.

    Exit code 0 with the link, 2 for options or a payload that can't be used, 3 when Bakong gave none.

    Parameters
    ----------
    payload
        The payload; `-` reads it from standard input.
    app_name
        The shop's or app's name. Give all three of these, or none.
    app_icon_url
        The web address of its icon.
    app_deep_link_callback
        What is opened after the payment: a web address, or an app's own scheme such as `shop://paid`.
    json
        Print one JSON object: `short_link`.
    """
    given = {"app_name": app_name, "app_icon_url": app_icon_url, "app_deep_link_callback": app_deep_link_callback}
    missing = [name for name, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
        print(
            f"khqr deeplink: Bakong takes all three of the source's fields or none; missing: {options}", file=sys.stderr
        )
        return UNUSABLE
    try:
        source_info = None if missing else SourceInfo(**{name: value or "" for name, value in given.items()})
        with asking.client() as bakong:
            link = bakong.generate_deeplink(payload_text(payload), source_info=source_info)
    except (BakongError, OSError) as error:
        return failed("deeplink", error, spoken(language), json=json)
    print(json_module.dumps({"short_link": link.short_link}) if json else link)
    return YES
