"""From a payload to its fields: every data object is checked by its rule.

The order of problems is the official SDK's: what `_reading.py` finds, then 47 and 45, then what is missing, then one
data object after the other.
"""

from typing import Any

from bakong_khqr.errors import ErrorCode, InvalidKHQR
from bakong_khqr.money import BY_NUMERIC_CODE, DECIMALS_RULE, MOST_CHARACTERS, Currency, amount_fault, read_amount
from bakong_khqr.payload._account import INDIVIDUAL, MERCHANT, Kind
from bakong_khqr.payload._additional_data import ADDITIONAL_DATA, LANGUAGE, language_fault
from bakong_khqr.payload._fields import (
    DYNAMIC,
    MERCHANT_CATEGORY_CODE,
    MERCHANT_CITY,
    MERCHANT_NAME,
    STATIC,
    UNION_PAY,
    union_pay_fault,
)
from bakong_khqr.payload._reading import Reading, read
from bakong_khqr.payload._template import Template, TextField
from bakong_khqr.payload._timestamp import length_fault, missing_fault, past_fault, read_milliseconds, to_datetime

# What must be there, by ID; the account, 29 or 30, is asked for between 00 and 52.
_REQUIRED = {
    "00": ("payload_format_indicator", ErrorCode.PAYLOAD_FORMAT_INDICATOR_TAG_REQUIRED),
    "29": ("bakong_account_id", ErrorCode.MERCHANT_TYPE_REQUIRED),
    "52": ("merchant_category_code", ErrorCode.MERCHANT_CATEGORY_TAG_REQUIRED),
    "53": ("currency", ErrorCode.CURRENCY_TYPE_REQUIRED),
    "58": ("country_code", ErrorCode.COUNTRY_CODE_TAG_REQUIRED),
    "59": ("merchant_name", ErrorCode.MERCHANT_NAME_REQUIRED),
    "60": ("merchant_city", ErrorCode.MERCHANT_CITY_TAG_REQUIRED),
}
_ABSENT: dict[str, str] = {}
_CURRENCY_RULE = " or ".join(f"{one.numeric_code} ({one})" for one in Currency)
_AMOUNT_RULE = f"digits, at most {MOST_CHARACTERS} characters; {', '.join(DECIMALS_RULE.values())}"


def judge(payload: str) -> Reading:
    """Read `payload` and judge it by every rule that doesn't depend on the time of day.

    Raises `TypeError` for anything but text, and nothing else.
    """
    reading = read(payload)
    if not reading.objects:
        return reading  # too long, or nothing that could be read: what is wrong was said
    _judge_presence(reading)
    _judge_head(reading)
    _judge_account(reading)
    _judge_text(reading, MERCHANT_CATEGORY_CODE)
    _judge_money(reading)
    _judge_country(reading)
    _judge_text(reading, MERCHANT_NAME)
    _judge_text(reading, MERCHANT_CITY)
    _judge_additional_data(reading)
    if reading.is_dynamic:
        _judge_timestamps(reading)
    return reading


def fields(reading: Reading) -> dict[str, Any]:
    """Return the fields of a reading without problems, but for a missing expiry."""
    objects, members = reading.objects, reading.members
    kind: Kind = "individual" if "29" in objects else "merchant"
    account = members["29" if kind == "individual" else "30"]
    additional_data, language = members.get("62", _ABSENT), members.get("64", _ABSENT)
    created_ms, expires_ms = reading.created_ms, reading.expires_ms
    assert reading.currency is not None  # a payload without a currency has a problem
    return {
        "payload": reading.payload,
        "kind": kind,
        "point_of_initiation_method": objects.get("01", STATIC),
        "bakong_account_id": account["00"],
        "account_information": account.get("01") if kind == "individual" else None,
        "merchant_id": account.get("01") if kind == "merchant" else None,
        "acquiring_bank": account.get("02"),
        "merchant_category_code": objects["52"],
        "currency": reading.currency,
        "amount": reading.amount or None,
        "merchant_name": objects["59"],
        "merchant_city": objects["60"],
        **{field.name: additional_data.get(field.id) for field in ADDITIONAL_DATA.fields},
        **{field.name: language.get(field.id) for field in LANGUAGE.fields},
        "upi_account_information": objects.get("15"),
        "created_at": None if created_ms is None else to_datetime(created_ms),
        "expires_at": None if expires_ms is None else to_datetime(expires_ms),
    }


def _judge_presence(reading: Reading) -> None:
    objects = reading.objects
    if not reading.readable:
        return  # what is missing may stand in the part that can't be read
    if reading.is_dynamic and "54" not in objects:
        message = "point of initiation method 12 needs a transaction amount (data object 54)"
        reading.problems.append(InvalidKHQR(ErrorCode.INVALID_DYNAMIC_KHQR, message, field="amount"))
    if (reading.is_dynamic or "54" in objects) and "99" not in objects:
        reading.problems.append(missing_fault())
    if _REQUIRED.keys() <= objects.keys():
        return
    for identifier, (name, code) in _REQUIRED.items():
        if identifier not in objects and not (identifier == "29" and "30" in objects):
            place = "29 or 30" if identifier == "29" else identifier
            reading.problems.append(InvalidKHQR(code, f"{name} (data object {place}) is required", field=name))


def _judge_head(reading: Reading) -> None:
    objects = reading.objects
    indicator, method = objects.get("00"), objects.get("01")
    if indicator is not None and indicator != "01":
        codes = (ErrorCode.PAYLOAD_FORMAT_INDICATOR_TAG_REQUIRED, ErrorCode.PAYLOAD_FORMAT_INDICATOR_LENGTH_INVALID)
        _blame(reading, "payload_format_indicator", "00", 2, codes, ErrorCode.PAYLOAD_FORMAT_INDICATOR_INVALID, "01")
    if method is not None and method != STATIC and method != DYNAMIC:
        codes = (ErrorCode.POINT_OF_INITIATION_METHOD_INVALID, ErrorCode.POINT_INITIATION_LENGTH_INVALID)
        rule = "11 (static) or 12 (dynamic)"
        _blame(
            reading, "point_of_initiation_method", "01", 2, codes, ErrorCode.POINT_OF_INITIATION_METHOD_INVALID, rule
        )
    _judge_text(reading, UNION_PAY)


def _judge_account(reading: Reading) -> None:
    if "29" in reading.objects and "30" in reading.objects:
        message = (
            "the payload names two accounts, 29 (individual) and 30 (merchant); readers disagree on which one is paid"
        )
        at = reading.offset("30")
        reading.problems.append(
            InvalidKHQR(ErrorCode.MERCHANT_TYPE_AMBIGUOUS, message, field="bakong_account_id", offset=at)
        )
    for template in (INDIVIDUAL, MERCHANT):
        if template.id in reading.objects:
            _judge_template(reading, template)


def _judge_money(reading: Reading) -> None:
    objects = reading.objects
    code = objects.get("53")
    currency = reading.currency = BY_NUMERIC_CODE.get(code or "")
    if code is not None and currency is None:
        codes = (ErrorCode.CURRENCY_TYPE_REQUIRED, ErrorCode.TRANSACTION_CURRENCY_LENGTH_INVALID)
        _blame(reading, "currency", "53", 3, codes, ErrorCode.UNSUPPORTED_CURRENCY, _CURRENCY_RULE)
    if "15" in objects and currency is not None and currency is not Currency.KHR:
        reading.problems.append(union_pay_fault(currency, offset=reading.offset("15")))
    text = objects.get("54")
    if text is None:
        return
    reading.amount = amount = read_amount(text, currency)
    if amount is None:
        reading.problems.append(amount_fault(text, _AMOUNT_RULE, offset=reading.offset("54")))
    elif not amount and reading.is_dynamic:
        rule = "a dynamic code (method 12) asks for more than 0"
        reading.problems.append(amount_fault(text, rule, offset=reading.offset("54")))


def _judge_country(reading: Reading) -> None:
    country = reading.objects.get("58")
    if country is not None and country != "KH":
        codes = (ErrorCode.COUNTRY_CODE_TAG_REQUIRED, ErrorCode.COUNTRY_CODE_LENGTH_INVALID)
        _blame(reading, "country_code", "58", 3, codes, ErrorCode.COUNTRY_CODE_INVALID, "KH")


def _judge_additional_data(reading: Reading) -> None:
    objects = reading.objects
    if "62" in objects:
        _judge_template(reading, ADDITIONAL_DATA)
    if "64" in objects:
        members = reading.members["64"]
        fault = language_fault(members.get("00"), members.get("01"), members.get("02"), offset=None)
        if fault is not None:
            fault.offset = reading.offset("64")
            reading.problems.append(fault)
        _judge_template(reading, LANGUAGE)


def _judge_timestamps(reading: Reading) -> None:
    if "99" not in reading.objects:
        return
    members, problems = reading.members["99"], reading.problems
    created, expires = members.get("00"), members.get("01")
    if created is not None:
        reading.created_ms = read_milliseconds(created)
        if reading.created_ms is None:
            problems.append(length_fault("created_at", created, offset=reading.offset("99", "00")))
    if not expires:
        problems.append(missing_fault(offset=reading.offset("99")))
        return
    reading.expires_ms = read_milliseconds(expires)
    if reading.expires_ms is None:
        problems.append(length_fault("expires_at", expires, offset=reading.offset("99", "01")))
    elif reading.created_ms is not None and reading.expires_ms < reading.created_ms:
        problems.append(past_fault(reading.created_ms, reading.expires_ms, offset=reading.offset("99", "01")))


def _judge_text(reading: Reading, rule: TextField) -> None:
    value = reading.objects.get(rule.id)
    if value is not None and not rule.accepts(value):
        reading.problems.append(rule.fault(value, offset=reading.offset(*rule.path)))


def _judge_template(reading: Reading, template: Template) -> None:
    members = reading.members[template.id]
    for rule in template.refused(members):
        offset = reading.offset(*rule.path)
        reading.problems.append(rule.fault(members.get(rule.id), offset=offset))


def _blame(
    reading: Reading,
    name: str,
    identifier: str,
    limit: int,
    codes: tuple[ErrorCode, ErrorCode],
    otherwise: ErrorCode,
    rule: str,
) -> None:
    """Add the problem of a value that must be one of a few; `codes` are for an empty one and a too long one."""
    value = reading.objects[identifier]
    code = otherwise if value and len(value) <= limit else codes[bool(value)]
    reading.problems.append(
        InvalidKHQR(
            code,
            f"{name} {value!r} must be {rule}",
            field=name,
            offset=reading.offset(identifier),
            length=len(value),
            limit=limit,
        )
    )
