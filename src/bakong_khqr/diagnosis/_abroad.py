"""Payloads that follow EMVCo's standard and are no KHQR: other countries', and templates that only look like KHQR's.

EMVCo leaves the IDs 26 to 51 and 80 to 99 free for everybody. KHQR uses 29, 30 and 99 of them, PromptPay and many
others use the same ones for something else.
"""

from bakong_khqr.emv.characters import printable
from bakong_khqr.errors import ErrorCode as E
from bakong_khqr.money import Currency
from bakong_khqr.payload._reading import Reading

CAMBODIA = "KH"

# Countries whose shops show EMVCo codes, and their currencies (ISO 3166, ISO 4217). Any other is shown by its code.
COUNTRIES = {
    "AE": "the United Arab Emirates", "AU": "Australia", "BD": "Bangladesh", "BN": "Brunei", "BR": "Brazil",
    "BT": "Bhutan", "CN": "China", "CO": "Colombia", "GH": "Ghana", "HK": "Hong Kong", "ID": "Indonesia",
    "IN": "India", "JP": "Japan", "KE": "Kenya", "KH": "Cambodia", "KR": "South Korea", "LA": "Laos",
    "LK": "Sri Lanka", "MM": "Myanmar", "MN": "Mongolia", "MO": "Macao", "MV": "the Maldives", "MX": "Mexico",
    "MY": "Malaysia", "NG": "Nigeria", "NP": "Nepal", "PE": "Peru", "PH": "the Philippines", "PK": "Pakistan",
    "SA": "Saudi Arabia", "SG": "Singapore", "TH": "Thailand", "TW": "Taiwan", "TZ": "Tanzania", "US": "the USA",
    "VN": "Vietnam",
}  # fmt: skip
CURRENCIES = {
    "036": "Australian dollar", "050": "taka", "064": "ngultrum", "096": "Brunei dollar", "104": "kyat",
    "144": "Sri Lankan rupee", "156": "yuan", "170": "Colombian peso", "344": "Hong Kong dollar",
    "356": "Indian rupee", "360": "rupiah", "392": "yen", "404": "Kenyan shilling", "410": "won", "418": "kip",
    "446": "pataca", "458": "ringgit", "462": "rufiyaa", "484": "Mexican peso", "496": "tugrik",
    "524": "Nepalese rupee", "566": "naira", "586": "Pakistani rupee", "604": "sol", "608": "Philippine peso",
    "682": "Saudi riyal", "702": "Singapore dollar", "704": "dong", "764": "baht", "784": "dirham",
    "834": "Tanzanian shilling", "901": "Taiwan dollar", "936": "cedi", "978": "euro",
    "986": "real",
} | {one.numeric_code: one.full_name for one in Currency}  # fmt: skip

# Faults of the text itself: they are faults in every country, and what mends them is the same everywhere.
_FAULTS_ANYWHERE = frozenset(
    {
        E.PAYLOAD_FORMAT_INDICATOR_TAG_REQUIRED, E.PAYLOAD_FORMAT_INDICATOR_LENGTH_INVALID,
        E.PAYLOAD_FORMAT_INDICATOR_INVALID, E.POINT_INITIATION_LENGTH_INVALID, E.POINT_OF_INITIATION_METHOD_INVALID,
        E.CRC_TAG_REQUIRED, E.CRC_LENGTH_INVALID, E.CRC_NOT_LAST, E.KHQR_INVALID, E.MALFORMED_TLV,
        E.REPEATED_DATA_OBJECT, E.PAYLOAD_LENGTH_INVALID, E.CHARACTER_REFUSED,
    }
)  # fmt: skip


def is_abroad(reading: Reading) -> bool:
    """Say whether a payload is another country's code: its country isn't Cambodia, and it has no Bakong account ID.

    With a Bakong account ID it is a KHQR whose country is wrong.
    """
    country = reading.objects.get("58")
    return country is not None and country != CAMBODIA and not any("@" in one for one in _account_ids(reading))


def description(reading: Reading) -> str:
    """Return the sentence that says what a payload is if it isn't a KHQR; `""` if it is one, or nobody can know."""
    account_ids = [one for one in _account_ids(reading) if one]
    if not is_abroad(reading) and (not account_ids or any("@" in one for one in account_ids)):
        return ""
    country, currency = reading.objects.get("58", ""), reading.objects.get("53", "")
    code = f"{currency} {CURRENCIES.get(currency, '')}".strip()
    place = printable(", ".join(filter(None, (country, code))))
    where = COUNTRIES.get(country, "a country that isn't known here")
    return f"An EMVCo code of {where}{f' ({place})' if place else ''}, not a KHQR: Bakong can't pay it."


def is_fault_anywhere(code: E) -> bool:
    """Say whether a fault is one in every country's EMVCo codes, and not a fault by KHQR's own rules."""
    return code in _FAULTS_ANYWHERE


def not_khqr_templates(reading: Reading) -> frozenset[str]:
    """Return which of 29, 30 and 99 aren't KHQR's here: EMVCo's names are right for them."""
    if is_abroad(reading):
        return frozenset({"29", "30", "99"})
    members = reading.members
    found = {one for one in ("29", "30") if "@" not in members.get(one, {}).get("00", "@")}
    times = members.get("99", {}).get("00", "0")
    if not (times.isascii() and times.isdigit()):
        found.add("99")
    return frozenset(found)


def _account_ids(reading: Reading) -> list[str]:
    return [reading.members[one]["00"] for one in ("29", "30") if "00" in reading.members.get(one, {})]
