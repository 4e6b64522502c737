"""The checksum of a payload, data object 63: CRC-16/CCITT-FALSE (polynomial 0x1021, initial value 0xFFFF).

It runs over the UTF-8 bytes of everything before its own four digits, its ID and length (`6304`) included: EMVCo
QRCPS-MPM 1.1, 4.7.3. Taken over anything but UTF-8, a Khmer or accented name gives a checksum that no bank app accepts.
"""

from binascii import crc_hqx

from bakong_khqr.emv.characters import character_fault, refused_character


def crc16(text: str) -> str:
    """Return the checksum of `text`, a payload up to and including `6304`, as four upper-case hexadecimal digits.

    Raises `InvalidKHQR` where `text` holds a lone surrogate, which has no bytes in UTF-8; `TypeError` for anything but
    text.
    """
    if not isinstance(text, str):
        raise TypeError(f"the checksum is of a str, not of {type(text).__name__}")
    try:
        return f"{crc_hqx(text.encode(), 0xFFFF):04X}"
    except UnicodeEncodeError:
        at = refused_character(text)
        assert at is not None  # whatever UTF-8 can't hold is a refused character
        raise character_fault(text, at, offset=at) from None
