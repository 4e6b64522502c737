"""The data objects of EMVCo Merchant-Presented Mode and KHQR's own, as one table.

Sources: EMVCo QRCPS-MPM 1.1, tables 3.1 to 3.9; "KHQR" marks what Cambodia's standard puts into the standard's free
places.
"""

from functools import cache
from typing import Literal

from attrs import frozen

Path = tuple[str, ...]
"""The IDs from the top of a payload down to a data object: `("62", "01")`."""


Format = Literal["N", "ans", "S", "template"]
Presence = Literal["M", "O", "C"]
Source = Literal["EMVCo", "KHQR"]


@frozen
class Tag:
    """What a data object is: its name, what it holds, and who defines it."""

    path: Path
    """The IDs from the top down, each of which may be a range: `("62", "50-99")`."""
    name: str
    """EMVCo's or KHQR's name: `"Merchant Name"`."""
    format: Format
    """`"N"` for digits, `"ans"` for printable ASCII, `"S"` for any text, `"template"` for data objects."""
    least: int
    """The fewest characters of the value."""
    most: int
    """The most characters of the value."""
    presence: Presence
    """`"M"` for mandatory, `"O"` for optional, `"C"` for conditional."""
    source: Source
    """Who defines it: `"EMVCo"` or `"KHQR"`."""


_ROWS: tuple[tuple[str, str, Format, int, int, Presence, Source], ...] = (
    ("00", "Payload Format Indicator", "N", 2, 2, "M", "EMVCo"),
    ("01", "Point of Initiation Method", "N", 2, 2, "O", "EMVCo"),
    ("02-03", "Merchant Account Information, Visa", "ans", 1, 99, "O", "EMVCo"),
    ("04-05", "Merchant Account Information, Mastercard", "ans", 1, 99, "O", "EMVCo"),
    ("06-08", "Merchant Account Information, reserved by EMVCo", "ans", 1, 99, "O", "EMVCo"),
    ("09-10", "Merchant Account Information, Discover", "ans", 1, 99, "O", "EMVCo"),
    ("11-12", "Merchant Account Information, American Express", "ans", 1, 99, "O", "EMVCo"),
    ("13-14", "Merchant Account Information, JCB", "ans", 1, 99, "O", "EMVCo"),
    ("15", "Merchant Account Information, UnionPay", "ans", 1, 99, "O", "EMVCo"),
    ("16", "Merchant Account Information, UnionPay", "ans", 1, 99, "O", "EMVCo"),
    ("17-25", "Merchant Account Information, reserved by EMVCo", "ans", 1, 99, "O", "EMVCo"),
    ("29", "Merchant Account Information, individual", "template", 1, 99, "C", "KHQR"),
    ("29.00", "Bakong Account ID", "ans", 1, 32, "M", "KHQR"),
    ("29.01", "Account Information", "ans", 1, 32, "O", "KHQR"),
    ("29.02", "Acquiring Bank", "ans", 1, 32, "O", "KHQR"),
    ("30", "Merchant Account Information, merchant", "template", 1, 99, "C", "KHQR"),
    ("30.00", "Bakong Account ID", "ans", 1, 32, "M", "KHQR"),
    ("30.01", "Merchant ID", "ans", 1, 32, "M", "KHQR"),
    ("30.02", "Acquiring Bank", "ans", 1, 32, "M", "KHQR"),
    ("26-51", "Merchant Account Information", "template", 1, 99, "O", "EMVCo"),
    ("26-51.00", "Globally Unique Identifier", "ans", 1, 32, "M", "EMVCo"),
    ("26-51.01-99", "Payment network specific", "S", 1, 99, "O", "EMVCo"),
    ("52", "Merchant Category Code", "N", 4, 4, "M", "EMVCo"),
    ("53", "Transaction Currency", "N", 3, 3, "M", "EMVCo"),
    ("54", "Transaction Amount", "ans", 1, 13, "C", "EMVCo"),
    ("55", "Tip or Convenience Indicator", "N", 2, 2, "O", "EMVCo"),
    ("56", "Value of Convenience Fee Fixed", "ans", 1, 13, "C", "EMVCo"),
    ("57", "Value of Convenience Fee Percentage", "ans", 1, 5, "C", "EMVCo"),
    ("58", "Country Code", "ans", 2, 2, "M", "EMVCo"),
    ("59", "Merchant Name", "ans", 1, 25, "M", "EMVCo"),
    ("60", "Merchant City", "ans", 1, 15, "M", "EMVCo"),
    ("61", "Postal Code", "ans", 1, 10, "O", "EMVCo"),
    ("62", "Additional Data Field Template", "template", 1, 99, "O", "EMVCo"),
    ("62.01", "Bill Number", "ans", 1, 25, "O", "EMVCo"),
    ("62.02", "Mobile Number", "ans", 1, 25, "O", "EMVCo"),
    ("62.03", "Store Label", "ans", 1, 25, "O", "EMVCo"),
    ("62.04", "Loyalty Number", "ans", 1, 25, "O", "EMVCo"),
    ("62.05", "Reference Label", "ans", 1, 25, "O", "EMVCo"),
    ("62.06", "Customer Label", "ans", 1, 25, "O", "EMVCo"),
    ("62.07", "Terminal Label", "ans", 1, 25, "O", "EMVCo"),
    ("62.08", "Purpose of Transaction", "ans", 1, 25, "O", "EMVCo"),
    ("62.09", "Additional Consumer Data Request", "ans", 1, 3, "O", "EMVCo"),
    ("62.10", "Merchant Tax ID", "ans", 1, 20, "O", "EMVCo"),
    ("62.11", "Merchant Channel", "ans", 3, 3, "O", "EMVCo"),
    ("62.12-49", "Reserved by EMVCo", "S", 1, 99, "O", "EMVCo"),
    ("62.50-99", "Payment System Specific Template", "template", 1, 99, "O", "EMVCo"),
    ("62.50-99.00", "Globally Unique Identifier", "ans", 1, 32, "M", "EMVCo"),
    ("62.50-99.01-99", "Payment system specific", "S", 1, 99, "O", "EMVCo"),
    ("63", "CRC", "ans", 4, 4, "M", "EMVCo"),
    ("64", "Merchant Information Language Template", "template", 1, 99, "O", "EMVCo"),
    ("64.00", "Language Preference", "ans", 2, 2, "M", "EMVCo"),
    ("64.01", "Merchant Name, alternate language", "S", 1, 25, "M", "EMVCo"),
    ("64.02", "Merchant City, alternate language", "S", 1, 15, "O", "EMVCo"),
    ("64.03-99", "Reserved by EMVCo", "S", 1, 99, "O", "EMVCo"),
    ("65-79", "Reserved by EMVCo", "S", 1, 99, "O", "EMVCo"),
    ("99", "Timestamp", "template", 1, 99, "C", "KHQR"),
    ("99.00", "Creation Timestamp", "N", 13, 13, "M", "KHQR"),
    ("99.01", "Expiration Timestamp", "N", 13, 13, "C", "KHQR"),
    ("80-99", "Unreserved Template", "template", 1, 99, "O", "EMVCo"),
    ("80-99.00", "Globally Unique Identifier", "ans", 1, 32, "M", "EMVCo"),
    ("80-99.01-99", "Context specific", "S", 1, 99, "O", "EMVCo"),
)

TAGS = tuple(Tag(tuple(row[0].split(".")), *row[1:]) for row in _ROWS)

# The five that KHQR defines must nest. The others belong to other schemes, which may put plain text there.
NESTS_ALWAYS = frozenset({"29", "30", "62", "64", "99"})
NESTS_WHERE_IT_CAN = frozenset(f"{number:02}" for number in (*range(26, 52), *range(80, 100))) - NESTS_ALWAYS
NESTS_IN_ADDITIONAL_DATA = frozenset(f"{number:02}" for number in range(50, 100))


@cache
def describe(*path: str, khqr: bool = True) -> Tag | None:
    """Return what the data object at `path` is (`describe("62", "01")`), or `None` if no standard defines it.

    With `khqr=False` it is what EMVCo says alone: other countries use 29, 30 and 99 for their own templates.
    """
    for tag in TAGS:
        if tag.source == "KHQR" and not khqr:
            continue
        if len(tag.path) == len(path) and all(map(_within, path, tag.path)):
            return tag
    return None


def _within(identifier: str, span: str) -> bool:
    first, _, last = span.partition("-")
    return first <= identifier <= (last or first)
