"""Pictures of a payload. A room that knows the payload's text and plain words, and nothing of what they mean.

`symbol.py` draws the plain QR symbol; `modules.py` computes it; `icon.py` and `artwork.py` take in the caller's own pictures.
"""

from bakong_khqr.images.artwork import Artwork
from bakong_khqr.images.modules import ErrorCorrection
from bakong_khqr.images.symbol import data_uri, png, svg, terminal

__all__ = ["Artwork", "ErrorCorrection", "data_uri", "png", "svg", "terminal"]
