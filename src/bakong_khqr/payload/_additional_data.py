"""What a KHQR may say about the payment: the Additional Data Field Template (62) and the language template (64)."""

from bakong_khqr.errors import ErrorCode, InvalidKHQR
from bakong_khqr.payload._alphabet import Alphabet
from bakong_khqr.payload._template import Template, TextField

ADDITIONAL_DATA = Template(
    "62",
    "additional_data",
    (
        TextField("bill_number", ("62", "01"), ErrorCode.BILL_NUMBER_LENGTH_INVALID),
        TextField("mobile_number", ("62", "02"), ErrorCode.MOBILE_NUMBER_LENGTH_INVALID),
        TextField("store_label", ("62", "03"), ErrorCode.STORE_LABEL_LENGTH_INVALID, alphabet=Alphabet.KHMER_TEXT),
        TextField("terminal_label", ("62", "07"), ErrorCode.TERMINAL_LABEL_LENGTH_INVALID),
        TextField(
            "purpose_of_transaction",
            ("62", "08"),
            ErrorCode.PURPOSE_OF_TRANSACTION_LENGTH_INVALID,
            alphabet=Alphabet.KHMER_TEXT,
        ),
    ),
)

LANGUAGE = Template(
    "64",
    "language_template",
    (
        TextField("language_preference", ("64", "00"), ErrorCode.LANGUAGE_PREFERENCE_LENGTH_INVALID, least=2),
        TextField(
            "merchant_name_alternate_language",
            ("64", "01"),
            ErrorCode.MERCHANT_NAME_ALTERNATE_LANGUAGE_LENGTH_INVALID,
            alphabet=Alphabet.KHMER_TEXT,
        ),
        TextField(
            "merchant_city_alternate_language",
            ("64", "02"),
            ErrorCode.MERCHANT_CITY_ALTERNATE_LANGUAGE_LENGTH_INVALID,
            alphabet=Alphabet.KHMER_TEXT,
        ),
    ),
)


def language_fault(
    preference: str | None, name: str | None, city: str | None, *, offset: int | None = None
) -> InvalidKHQR | None:
    """Return the error of a field that the others need: a language needs a name, and a name or a city needs its
    language.
    """
    if name is None and (preference is not None or city is not None):
        other = "language_preference" if preference is not None else "merchant_city_alternate_language"
        return InvalidKHQR(
            ErrorCode.MERCHANT_NAME_ALTERNATE_LANGUAGE_REQUIRED,
            f"merchant_name_alternate_language is required beside {other}",
            field="merchant_name_alternate_language",
            offset=offset,
        )
    if name is not None and preference is None:
        return InvalidKHQR(
            ErrorCode.LANGUAGE_PREFERENCE_REQUIRED,
            'language_preference is required beside merchant_name_alternate_language: two letters such as "km"',
            field="language_preference",
            offset=offset,
        )
    return None
