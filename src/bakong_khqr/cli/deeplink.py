"""`khqr deeplink`: a link that opens the payer's bank app with a code in it."""

from bakong_khqr.api import SourceInfo
from bakong_khqr.cli.bakong import BY_ENVIRONMENT, UNUSABLE, YES, Asking, failed
from bakong_khqr.cli.language import Language, spoken
from bakong_khqr.cli.payload_text import Payload, payload_text
from bakong_khqr.cli.writing import complain, say, say_json
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
    """Ask Bakong for a link that opens the payer's bank app with this code. This needs no token.

    Exit code 0: the link is printed. 2: wrong options or a wrong payload. 3: Bakong gave no link.

    Parameters
    ----------
    app_name
        The name of the shop or app. Give all three of these options, or none.
    app_icon_url
        The web address of its icon.
    app_deep_link_callback
        The address that is opened after the payment: a web address, or an app's scheme such as `shop://paid`.
    json
        Print one JSON object: `short_link`.
    """
    given = {"app_name": app_name, "app_icon_url": app_icon_url, "app_deep_link_callback": app_deep_link_callback}
    missing = [name for name, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
        complain(f"khqr deeplink: give all three options of the app, or none; missing: {options}")
        return UNUSABLE
    try:
        source_info = None if missing else SourceInfo(**{name: value or "" for name, value in given.items()})
        with asking.client() as bakong:
            link = bakong.generate_deeplink(payload_text(payload), source_info=source_info)
    except (BakongError, OSError) as error:
        return failed("deeplink", error, spoken(language), json=json)
    if json:
        say_json({"short_link": link.short_link})
    else:
        say(link)
    return YES
