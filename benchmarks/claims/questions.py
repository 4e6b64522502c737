"""The questions that `docs/comparison.md` asks of each library, and the payloads that some of them are asked with."""

from bakong_khqr.emv import crc16

QUESTIONS = {
    "token_expired": "Bakong answers that the token has expired (HTTP 401). A check of a payment says",
    "server_error": "Bakong answers with HTTP 500. A check of a payment says",
    "other_money": "0.01 dollars for a code over 10.50 went to another account. A check of the payment says",
    "long_labels": "Four labels of 25 characters, 116 in all where 99 fit. Making the code",
    "amount_nan": "The amount is NaN. Making the code",
    "amount_too_exact": "The amount is 1.005 dollars. Making the code",
    "riel_with_decimals": "The amount is 1000.75 riel. Making the code",
    "account_without_bank": "The account is `sokha`, without `@` and a bank. Making the code",
    "letters_in_template": "Letters stand where a length belongs, and the checksum is right. Reading the code",
    "repeated_amount": "The code has two amounts, 1.00 and 9.00, and a right checksum. Verifying the code says",
    "wrong_checksum": "The checksum is wrong. Verifying the code says",
    "short_checksum": "Of the checksums of the texts `0` to `999999`, have other than four digits",
}
"""Each question by its key, as the beginning of a sentence that a library's observation ends."""

_BEGIN = "00020101021129140010sokha@aclb52045999530384054041.00"
_END = "5802KH5905Sokha6010Phnom Penh"
_TIMES = "99340013" + "4102444800000" + "0113" + "4102448400000"  # made at the beginning of 2100, expires an hour later


def _payload(body: str) -> str:
    return body + "6304" + crc16(body + "6304")


PAYLOADS = {
    "letters_in_template": _payload(_BEGIN + _END + "6204ABCD" + _TIMES),
    "repeated_amount": _payload(_BEGIN.replace("010211", "010212") + _END + "54049.00" + _TIMES),
    "wrong_checksum": _BEGIN.replace("010211", "010212") + _END + _TIMES + "63040000",
}
"""The payloads of the questions about reading, by the question's key."""
