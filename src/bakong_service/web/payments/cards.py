"""The KHQR card of a payment, drawn from its payload: the names in it are those that the payer's app shows."""

from bakong_khqr import KHQR
from bakong_service.domain.errors import Conflict

_WIDTH = 800  # pixels: sharp on a phone's screen, and more than the longest payload needs


def png(payload: str) -> bytes:
    """Return the card as a PNG file. Raises `Conflict`."""
    try:
        return KHQR.decode(payload).to_card(format="png", width=_WIDTH)
    except ValueError as error:
        raise _impossible(error) from error


def svg(payload: str) -> str:
    """Return the card as an SVG document. Raises `Conflict`."""
    try:
        return KHQR.decode(payload).to_card(format="svg", width=_WIDTH)
    except ValueError as error:
        raise _impossible(error) from error


def _impossible(error: ValueError) -> Conflict:
    return Conflict("no_card", f"no card can be drawn of this payment ({error}); its QR can be paid all the same")
