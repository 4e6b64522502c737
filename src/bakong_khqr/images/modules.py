"""Makes the modules of a QR symbol: the square of dark and light cells for a payload. Nothing is drawn here.

The `qrcode` library makes the symbol; this module chooses which symbol a KHQR should be (ISO/IEC 18004).
"""

from __future__ import annotations

from typing import cast, get_args

from qrcode import constants
from qrcode.exceptions import DataOverflowError
from qrcode.main import QRCode

from bakong_khqr.errors import shown
from bakong_khqr.images.mask import best_mask
from bakong_khqr.picture_options import ErrorCorrection

Modules = list[list[bool]]
"""The rows of a symbol from the top, dark cells true, without the quiet zone: 21 to 177 a side."""

MOST_CHARACTERS = 7_089
"""The most characters of the largest symbol at level L, if all are digits. A longer payload is refused at once."""

_LEVELS = {
    "L": constants.ERROR_CORRECT_L,
    "M": constants.ERROR_CORRECT_M,
    "Q": constants.ERROR_CORRECT_Q,
    "H": constants.ERROR_CORRECT_H,
}


def modules(payload: str, *, error_correction: ErrorCorrection = "M") -> Modules:
    """Return the modules of the smallest symbol that holds `payload` in UTF-8 at this level of error correction.

    The level is never raised to fill the symbol: a KHQR is shown at a fixed size, and phones read larger modules from
    further away. Raises `TypeError` for a payload that isn't text, and `ValueError` for a payload that is empty, has a
    lone surrogate or is too long for any symbol, and for an unknown level.
    """
    if not isinstance(payload, str):
        raise TypeError(f"payload: expected the text of a code (str), got {type(payload).__name__}")
    if not payload:
        raise ValueError("payload: it is empty, so there is nothing to draw")
    if error_correction not in _LEVELS:
        raise ValueError(
            f"error_correction: {shown(error_correction)} isn't one of {', '.join(get_args(ErrorCorrection))}"
        )
    try:
        text = payload.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"payload: the character at offset {error.start} can't be written in UTF-8") from error

    too_long = f"payload: {len(text)} bytes are more than a QR symbol with error correction {error_correction} holds"
    if len(text) > MOST_CHARACTERS:
        raise ValueError(too_long)
    symbol = QRCode(error_correction=_LEVELS[error_correction], border=0)
    symbol.add_data(text)
    try:
        symbol.best_fit()
    except (DataOverflowError, ValueError) as error:  # the library raises the latter: "Invalid version (was 41 ...)"
        raise ValueError(too_long) from error
    symbol.mask_pattern = best_mask(symbol)
    symbol.make(fit=False)
    return cast("Modules", symbol.modules)
