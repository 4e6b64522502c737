"""The thirteen endpoints: the body that each needs, and its answer."""

import string
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import attrs

from bakong_khqr.testing import answers
from bakong_khqr.testing.exchange import SimulatorResponse
from bakong_khqr.testing.payments import SimulatedPayment

if TYPE_CHECKING:
    from bakong_khqr.testing.simulator import BakongSimulator

LIST_LIMIT: Final = 50


class _MissingFields(Exception):  # noqa: N818 - what happened, as the service calls it
    """The body doesn't have what the endpoint needs: error code 5."""


def _text(body: Any, name: str, *, shortest: int = 1, longest: int = 255) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not shortest <= len(value) <= longest:
        raise _MissingFields
    return value


def _request_token(bakong: "BakongSimulator", body: Any) -> SimulatorResponse:
    email = _text(body, "email", longest=30)
    _text(body, "organization", longest=100)
    _text(body, "project", longest=100)
    if bakong.tokens.is_registered(email):
        return answers.failure(answers.REGISTERED_ALREADY)
    bakong.tokens.mail_code(email)
    return answers.success(answers.MAIL_SENT)


def _verify(bakong: "BakongSimulator", body: Any) -> SimulatorResponse:
    email = bakong.tokens.redeem(_text(body, "code", shortest=20, longest=20))
    if email is None:
        return answers.failure(answers.UNAUTHORIZED, status=bakong.switches.unauthorized_status)
    return answers.success(answers.TOKEN_ISSUED, {"token": bakong.issue_token(email)})


def _renew_token(bakong: "BakongSimulator", body: Any) -> SimulatorResponse:
    email = _text(body, "email", longest=30)
    if not bakong.tokens.is_registered(email):
        return answers.failure(answers.NOT_REGISTERED)
    token = bakong.issue_token(email, revoke_others=bakong.switches.revoke_on_renew)
    return answers.success(answers.TOKEN_ISSUED, {"token": token})


def _generate_deeplink_by_qr(bakong: "BakongSimulator", body: Any) -> SimulatorResponse:
    payload = _text(body, "qr", longest=10_000)
    source_info = body.get("sourceInfo")
    if source_info is not None:
        for name in ("appIconUrl", "appName", "appDeepLinkCallback"):
            _text(source_info, name, longest=10_000)
    with suppress(ValueError):  # nobody knows whether Bakong reads the code first, so any text is taken
        bakong.remember(payload)
    suffix = "".join(bakong.rng.choices(string.ascii_letters + string.digits, k=17))
    return answers.success(answers.DEEP_LINK_MADE, {"shortLink": bakong.switches.deeplink_base_url + suffix})


def _check_account(bakong: "BakongSimulator", body: Any) -> SimulatorResponse:
    account_id = _text(body, "accountId")
    if account_id.count("@") != 1 or account_id[0] == "@" or account_id[-1] == "@" or len(account_id) > 32:
        return answers.failure(answers.ACCOUNT_INVALID)
    account = bakong.accounts.find(account_id, any_exists=bakong.switches.any_account_exists)
    if account is None:
        return answers.failure(answers.ACCOUNT_NOT_FOUND)
    return answers.success(answers.ACCOUNT_EXISTS, account.to_wire() if bakong.switches.account_details else None)


def _transaction(bakong: "BakongSimulator", payments: list[SimulatedPayment]) -> SimulatorResponse:
    """Return the answer of a single check: a successful payment, else a failed one, else "not found"."""
    payment = _choose(bakong, payments)
    if payment is None:
        return answers.failure(answers.NOT_FOUND)
    if payment.failed:
        return answers.failure(bakong.switches.failed_error_code, answers.MESSAGES[answers.FAILED])
    return answers.success(answers.SUCCESS, payment.to_wire(amount_as_text=bakong.switches.amount_as_text))


def _choose(bakong: "BakongSimulator", payments: list[SimulatedPayment]) -> SimulatedPayment | None:
    if not payments:
        return None
    now_ms = bakong.clock.now_ms
    visible = [payment for payment in payments if payment.visible_at_ms <= now_ms]
    made = [payment for payment in visible if not payment.failed] or visible[-1:]
    if not made:
        return None
    return made[0] if bakong.switches.duplicate_shows == "first" else made[-1]


def _check_by_md5(bakong: "BakongSimulator", body: Any) -> SimulatorResponse:
    md5 = _text(body, "md5")
    if bakong.is_static(md5):
        if bakong.switches.static_qr == "not_supported":
            return answers.failure(answers.STATIC_QR)
        if bakong.switches.static_qr == "not_found":
            return answers.failure(answers.NOT_FOUND)
    return _transaction(bakong, bakong.payments.find("md5", md5))


def _check_by_short_hash(bakong: "BakongSimulator", body: Any) -> SimulatorResponse:
    short_hash = _text(body, "hash", shortest=8, longest=8)
    currency = _text(body, "currency", shortest=3, longest=3)
    amount = body.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int | str):
        raise _MissingFields
    try:
        wanted = Decimal(amount)
    except InvalidOperation:
        raise _MissingFields from None
    if not wanted.is_finite():
        raise _MissingFields
    found = bakong.payments.find("short_hash", short_hash)
    return _transaction(bakong, [each for each in found if each.amount == wanted and each.currency == currency])


def _check_by(column: str, member: str) -> Callable[["BakongSimulator", Any], SimulatorResponse]:
    def check(bakong: "BakongSimulator", body: Any) -> SimulatorResponse:
        return _transaction(bakong, bakong.payments.find(column, _text(body, member)))

    return check


def _check_list(column: str) -> Callable[["BakongSimulator", Any], SimulatorResponse]:
    def check(bakong: "BakongSimulator", body: Any) -> SimulatorResponse:
        if not isinstance(body, list) or not 1 <= len(body) <= LIST_LIMIT:
            raise _MissingFields
        if not all(isinstance(key, str) and 1 <= len(key) <= 255 for key in body):
            raise _MissingFields
        return answers.success(answers.LIST_SUCCESS, [_item(bakong, column, key) for key in body])

    return check


def _item(bakong: "BakongSimulator", column: str, key: str) -> dict[str, Any]:
    payment = _choose(bakong, bakong.payments.find(column, key))
    status = bakong.item_statuses.get(key)
    if status is None:
        status = _item_status(bakong, column, key, payment)
    if status != "SUCCESS" or payment is None:
        message = answers.ITEM_NOT_FOUND if status == "NOT_FOUND" else status.replace("_", " ").capitalize()
        return {column: key, "status": status, "message": message, "data": None}
    wire = payment.to_wire(amount_as_text=bakong.switches.amount_as_text)
    item: dict[str, Any] = {column: key, "status": status, "message": answers.ITEM_SUCCESS}
    if bakong.switches.list_payload_key == "inline":
        return wire | item  # the key replaces a member of the transaction with the same name
    return item | {bakong.switches.list_payload_key: wire}


def _item_status(bakong: "BakongSimulator", column: str, key: str, payment: SimulatedPayment | None) -> str:
    if column == "md5" and bakong.switches.static_qr != "tracked" and bakong.is_static(key):
        return "STATIC_QR"
    if payment is None:
        return "NOT_FOUND"
    if payment.failed:
        return "FAILED" if column == "hash" else "NOT_FOUND"  # the MD5 list has no FAILED
    return "SUCCESS"


@attrs.frozen
class Endpoint:
    """One path under `/v1/`: its function, and whether it needs a token."""

    answer: Callable[["BakongSimulator", Any], SimulatorResponse]
    needs_token: bool = True

    def __call__(self, bakong: "BakongSimulator", body: Any) -> SimulatorResponse:
        try:
            return self.answer(bakong, body)
        except _MissingFields:
            return answers.failure(answers.MISSING_FIELDS, status=bakong.switches.bad_request_status)


ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "request_token": Endpoint(_request_token, needs_token=False),
    "verify": Endpoint(_verify, needs_token=False),
    "renew_token": Endpoint(_renew_token, needs_token=False),
    "generate_deeplink_by_qr": Endpoint(_generate_deeplink_by_qr, needs_token=False),
    "check_bakong_account": Endpoint(_check_account, needs_token=False),
    "check_account_exist": Endpoint(_check_account, needs_token=False),
    "check_transaction_by_md5": Endpoint(_check_by_md5),
    "check_transaction_by_hash": Endpoint(_check_by("hash", "hash")),
    "check_transaction_by_short_hash": Endpoint(_check_by_short_hash),
    "check_transaction_by_instruction_ref": Endpoint(_check_by("instruction_ref", "instructionRef")),
    "check_transaction_by_external_ref": Endpoint(_check_by("external_ref", "externalRef")),
    "check_transaction_by_md5_list": Endpoint(_check_list("md5")),
    "check_transaction_by_hash_list": Endpoint(_check_list("hash")),
}
"""The endpoints by the last part of their path."""
