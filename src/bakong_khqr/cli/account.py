"""`khqr account`: does a Bakong account exist, and can it receive money?"""

import attrs

from bakong_khqr.cli.bakong import BY_ENVIRONMENT, NO, YES, Asking, failed
from bakong_khqr.cli.language import Language, spoken
from bakong_khqr.cli.writing import say, say_json
from bakong_khqr.errors import BakongError

_SAID = {
    "exists": ("exists", "មានគណនីនេះ"),
    "none": ("no such account", "គ្មានគណនីនេះទេ"),
    "full_name": ("name", "ឈ្មោះ"),
    "account_status": ("account status", "ស្ថានភាពគណនី"),
    "kyc_status": ("KYC status", "ស្ថានភាព KYC"),
    "can_receive": ("can receive", "អាចទទួលប្រាក់"),
    "frozen": ("frozen", "ត្រូវបានបង្កក"),
}


def account(
    account_id: str, /, *, asking: Asking = BY_ENVIRONMENT, language: Language = None, json: bool = False
) -> int:
    """Ask Bakong whether an account (`name@bank`) exists. This needs no token.

    Exit code 0: it exists. 1: it doesn't exist. 2: wrong options. 3: the answer isn't known.

    Parameters
    ----------
    account_id
        The account, such as `sokha@aclb`.
    json
        Print one JSON object: `state` (`exists`, `none`, `unknown`), `account`.
    """
    tongue = spoken(language)
    try:
        with asking.client() as bakong:
            found = bakong.check_account(account_id)
    except (BakongError, OSError) as error:
        return failed("account", error, tongue, json=json)
    state = "none" if found is None else "exists"
    details = {} if found is None else {name: value for name, value in attrs.asdict(found).items() if value is not None}
    if json:
        say_json({"state": state} | ({"account": details} if details else {}))
    else:
        say(f"{account_id}: {_SAID[state][tongue == 'km']}")
        for name, value in details.items():
            if name in _SAID:
                say(f"{_SAID[name][tongue == 'km']}: {value}")
    return YES if found is not None else NO
