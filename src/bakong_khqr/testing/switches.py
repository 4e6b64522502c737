"""The settings of the simulator's behaviour: each field is a switch.

Each switch says which sources disagree. If nobody knows, `guess` is true, and the documentation says so. The sources
are the official document, real answers, and other people's clients.
"""

from typing import Any, Final, Literal

import attrs

from bakong_khqr.errors import shown


@attrs.frozen
class Rule:
    """The values that a switch may have; `text` says them in words. As an attrs validator, it refuses all others."""

    text: str
    choices: tuple[str, ...] = ()
    between: tuple[int, int] | None = None
    optional: bool = False

    def admits(self, value: object) -> bool:
        """Return whether a switch with this rule may have this value. `True` and the number 1 are different here."""
        if value is None:
            return self.optional
        if self.between is not None:
            return type(value) is int and self.between[0] <= value <= self.between[1]
        if self.choices:
            return value in self.choices
        return type(value) is bool if self is FLAG else isinstance(value, str) and bool(value)

    def __call__(self, _: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if not self.admits(value):
            raise ValueError(f"{attribute.name}: {shown(value)} isn't {self.text}")


FLAG: Final = Rule("true or false")
TEXT: Final = Rule("a string that isn't empty")


def whole(lowest: int, highest: int, *, optional: bool = False) -> Rule:
    """Return the rule of a whole number in a range, both ends included."""
    text = f"a whole number from {lowest} to {highest}" + (" or null" if optional else "")
    return Rule(text, between=(lowest, highest), optional=optional)


def one_of(*choices: str) -> Rule:
    """Return the rule of a text that is one of these words."""
    return Rule("one of " + ", ".join(choices), choices=choices)


def _switch(default: Any, rule: Rule, says: str, *, guess: bool = False) -> Any:
    return attrs.field(default=default, validator=rule, metadata={"says": says, "rule": rule, "guess": guess})


@attrs.define(kw_only=True)
class Switches:
    """The switches. By default there is no quota, every endpoint is open, and payments are visible at once.

    A wrong value raises `ValueError` with the switch, the value and the rule.
    """

    geo_block: bool = _switch(False, FLAG, "Every call is refused with a CloudFront page (HTTP 403), as from abroad")
    user_agent_required: bool = _switch(
        False, FLAG, "A call without a User-Agent is refused like one from abroad", guess=True
    )
    md5_list_closed: bool = _switch(
        False,
        FLAG,
        "check_transaction_by_md5_list answers a bare nginx 403, whatever the token, as production did in 2026",
    )
    legacy_registration: bool = _switch(
        True, FLAG, "request_token and verify exist; they left the official document in 2022", guess=True
    )
    daily_quota: int | None = _switch(
        None, whole(1, 10**9, optional=True), "Calls a token may make a day before error code 17; null: no quota"
    )
    quota_scope: Literal["token", "all"] = _switch(
        "token",
        one_of("token", "all"),
        "What counts: calls to endpoints that need a token, or every call that brings one",
        guess=True,
    )
    quota_utc_offset_hours: int = _switch(
        7, whole(-12, 14), "The day's boundary, in hours east of UTC; 7 is Phnom Penh", guess=True
    )
    token_lifetime_days: int = _switch(90, whole(1, 36_500), "A token's life; 93 in tokens of 2021 to 2023")
    revoke_on_renew: bool = _switch(
        False, FLAG, "renew_token ends the tokens issued before to the same email", guess=True
    )
    unauthorized_status: int = _switch(
        401, whole(200, 599), "HTTP status of error code 6; one client was written for 200"
    )
    bad_request_status: int = _switch(
        400, whole(200, 599), "HTTP status of error code 5, missing required fields", guess=True
    )
    wrong_method_status: int = _switch(405, whole(400, 599), "HTTP status of a GET where POST is meant", guess=True)
    account_needs_token: bool = _switch(
        False, FLAG, "check_bakong_account wants a token, as the document says; the live service was seen not to"
    )
    account_details: bool = _switch(
        True, FLAG, "A found account is described; the document of 2021 answers with null data"
    )
    any_account_exists: bool = _switch(
        True, FLAG, "Every well-formed account ID exists; off: only those that were added"
    )
    static_qr: Literal["not_found", "not_supported", "tracked"] = _switch(
        "not_found",
        one_of("not_found", "not_supported", "tracked"),
        "An MD5 check of a static code: error code 1, error code 2, or the payment",
        guess=True,
    )
    failed_error_code: int = _switch(3, whole(1, 999), "Error code of a failed transaction; the older guide shows 1")
    duplicate_shows: Literal["first", "last"] = _switch(
        "first", one_of("first", "last"), "Which of two payments of one code its MD5 shows", guess=True
    )
    list_payload_key: Literal["data", "transaction", "inline"] = _switch(
        "data", one_of("data", "transaction", "inline"), "Where a list item holds its transaction", guess=True
    )
    amount_as_text: bool = _switch(False, FLAG, "Amounts as text, as the document's table says; live ones are numbers")
    visible_after_seconds: int = _switch(
        0, whole(0, 31_536_000), "How long after it was made a payment can be seen; live: up to about 10"
    )
    deeplink_base_url: str = _switch(
        "https://bakong.page.link/",
        TEXT,
        "What a short link begins with; the real host since 2025 isn't known",
        guess=True,
    )
